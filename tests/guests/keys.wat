;; Uses the key in slot "key" (another where it says so) as the low 8 bits of the time say:
;; 0 nothing; 1 sign "what do ya want " and "for nothing?"; 2 sign the body by handle;
;; 3 sign the body, then verify it: the right MAC and one whose first byte is another;
;; 4 derive as AWS Signature Version 4 does, then sign "aws4_request"; 5 open "other";
;; 6 open a second version; 7 sign with a handle that never was; 8 with one that was dropped;
;; 9 with one of a blob; 10 make a public key of "key"; 11 ask how many versions there are of
;; "key" and "other"; 12 sign as many bytes of its own as the upper half says; 13 sign the body
;; as often over as the upper half says; 14 open as many as the upper half says, and keep them;
;; 15 the same, and drop each; 16 sign nothing, log "p", and fail with code "p" and message "p".
;; Bits 8 to 15 are the class of what it returns. Returns one field "p": a MAC as hex;
;; of what it is told the first byte as a digit; of an error 0, 1, 2, or u (unusable).
(module
  (import "txco:op/call@1.0.0" "now" (func $now (result i64)))
  (import "txco:op/call@1.0.0" "bytes" (func $bytes (param i32 i32 i32)))
  (import "txco:op/log@1.0.0" "write" (func $write (param i32 i32)))
  (import "txco:op/keys@1.0.0" "versions" (func $versions (param i32 i32) (result i32)))
  (import "txco:op/keys@1.0.0" "open" (func $open (param i32 i32 i32 i32 i32)))
  (import "txco:op/keys@1.0.0" "[static]key.public" (func $public (param i32 i32 i32)))
  (import "txco:op/keys@1.0.0" "[method]key.sign" (func $sign (param i32 i32 i32 i32 i32)))
  (import "txco:op/keys@1.0.0" "[method]key.verify" (func $verify (param i32 i32 i32 i32 i32 i32 i32)))
  (import "txco:op/keys@1.0.0" "[method]key.derive" (func $derive (param i32 i32 i32 i32 i32 i32 i32)))
  (import "txco:op/keys@1.0.0" "[resource-drop]key" (func $drop_key (param i32)))
  (memory (export "memory") 32)
  (global $next (mut i32) (i32.const 4096))
  (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32)
    (local $at i32)
    (local.set $at (i32.and (i32.add (global.get $next) (i32.const 7)) (i32.const -8)))
    (global.set $next (i32.add (local.get $at) (local.get 3)))
    (local.get $at))

  ;; 16 what handle returns, 32 the field, 64 what the host returns, 256 texts, 512 text out,
  ;; 1024 pieces
  (data (i32.const 256) "key")
  (data (i32.const 260) "other")
  (data (i32.const 268) "body")
  (data (i32.const 272) "p")
  (data (i32.const 280) "what do ya want ")
  (data (i32.const 296) "for nothing?")
  (data (i32.const 320) "AWS4")
  (data (i32.const 324) "20120215")
  (data (i32.const 332) "us-east-1")
  (data (i32.const 341) "iam")
  (data (i32.const 344) "aws4_request")
  (data (i32.const 360) "0123456789abcdef")

  (func $say (param $at i32) (param $len i32)
    (i32.store (i32.const 20) (i32.const 32))
    (i32.store (i32.const 24) (i32.const 1))
    (i32.store (i32.const 32) (i32.const 272))
    (i32.store (i32.const 36) (i32.const 1))
    (i32.store8 (i32.const 40) (i32.wrap_i64 (i64.shr_u (call $now) (i64.const 8))))
    (i32.store (i32.const 48) (local.get $at))
    (i32.store (i32.const 52) (local.get $len)))
  (func $say_digits (param $a i32) (param $b i32)
    (i32.store8 (i32.const 512) (i32.add (i32.const 48) (local.get $a)))
    (i32.store8 (i32.const 513) (i32.add (i32.const 48) (local.get $b)))
    (call $say (i32.const 512) (i32.const 2)))
  ;; What kind of error the host returned at 64.
  (func $say_error
    (if (i32.eqz (i32.load8_u (i32.const 64))) (then (unreachable)))
    (if (i32.load8_u (i32.const 68))
      (then (i32.store8 (i32.const 512) (i32.const 117)))
      (else (i32.store8 (i32.const 512) (i32.add (i32.const 48) (i32.load8_u (i32.const 72))))))
    (call $say (i32.const 512) (i32.const 1)))
  ;; The list of bytes that the host returned at 64, as hex.
  (func $say_hex
    (local $at i32) (local $end i32) (local $to i32)
    (if (i32.load8_u (i32.const 64)) (then (call $say_error) (return)))
    (local.set $at (i32.load (i32.const 68)))
    (local.set $end (i32.add (local.get $at) (i32.load (i32.const 72))))
    (local.set $to (i32.const 512))
    (loop $byte
      (i32.store8 (local.get $to)
        (i32.load8_u (i32.add (i32.const 360) (i32.shr_u (i32.load8_u (local.get $at)) (i32.const 4)))))
      (i32.store8 (i32.add (local.get $to) (i32.const 1))
        (i32.load8_u (i32.add (i32.const 360) (i32.and (i32.load8_u (local.get $at)) (i32.const 15)))))
      (local.set $to (i32.add (local.get $to) (i32.const 2)))
      (local.set $at (i32.add (local.get $at) (i32.const 1)))
      (br_if $byte (i32.lt_u (local.get $at) (local.get $end))))
    (call $say (i32.const 512) (i32.sub (local.get $to) (i32.const 512))))
  ;; The handle that the host returned at 64.
  (func $opened (result i32)
    (if (i32.load8_u (i32.const 64)) (then (unreachable)))
    (i32.load (i32.const 68)))
  (func $key (result i32)
    (call $open (i32.const 256) (i32.const 3) (i32.const 0) (i32.const 0) (i32.const 64))
    (call $opened))
  (func $body (result i32)
    (call $bytes (i32.const 268) (i32.const 4) (i32.const 64))
    (if (i32.eqz (i32.load8_u (i32.const 64))) (then (unreachable)))
    (i32.load (i32.const 68)))
  ;; A piece of the message at 1024: bytes of its own, or a blob.
  (func $piece (param $n i32) (param $kind i32) (param $at i32) (param $len i32)
    (local $to i32)
    (local.set $to (i32.add (i32.const 1024) (i32.mul (local.get $n) (i32.const 12))))
    (i32.store8 (local.get $to) (local.get $kind))
    (i32.store (i32.add (local.get $to) (i32.const 4)) (local.get $at))
    (i32.store (i32.add (local.get $to) (i32.const 8)) (local.get $len)))
  ;; HMAC-SHA256 of the first pieces.
  (func $mac (param $key i32) (param $pieces i32)
    (call $sign (local.get $key) (i32.const 1) (i32.const 1024) (local.get $pieces) (i32.const 64)))
  (func $step (param $key i32) (param $prefix i32) (param $at i32) (param $len i32) (result i32)
    (call $derive (local.get $key) (i32.const 1) (i32.const 320) (local.get $prefix)
      (local.get $at) (local.get $len) (i32.const 64))
    (call $opened))

  (func (export "handle") (result i32)
    (local $what i32) (local $count i32) (local $key i32) (local $blob i32) (local $n i32)
    (local.set $what (i32.and (i32.wrap_i64 (call $now)) (i32.const 255)))
    (local.set $count (i32.wrap_i64 (i64.shr_u (call $now) (i64.const 32))))
    (if (i32.eq (local.get $what) (i32.const 1)) (then
      (call $piece (i32.const 0) (i32.const 0) (i32.const 280) (i32.const 16))
      (call $piece (i32.const 1) (i32.const 0) (i32.const 296) (i32.const 12))
      (call $mac (call $key) (i32.const 2))
      (call $say_hex)))
    (if (i32.eq (local.get $what) (i32.const 2)) (then
      (call $piece (i32.const 0) (i32.const 1) (call $body) (i32.const 0))
      (call $mac (call $key) (i32.const 1))
      (call $say_hex)))
    (if (i32.eq (local.get $what) (i32.const 3)) (then
      (call $piece (i32.const 0) (i32.const 1) (call $body) (i32.const 0))
      (local.set $key (call $key))
      (call $mac (local.get $key) (i32.const 1))
      (local.set $n (i32.load (i32.const 68)))
      (call $verify (local.get $key) (i32.const 1) (i32.const 1024) (i32.const 1)
        (local.get $n) (i32.const 32) (i32.const 64))
      (local.set $blob (i32.load8_u (i32.const 68)))
      (i32.store8 (local.get $n) (i32.add (i32.load8_u (local.get $n)) (i32.const 1)))
      (call $verify (local.get $key) (i32.const 1) (i32.const 1024) (i32.const 1)
        (local.get $n) (i32.const 32) (i32.const 64))
      (call $say_digits (local.get $blob) (i32.load8_u (i32.const 68)))))
    (if (i32.eq (local.get $what) (i32.const 4)) (then
      (local.set $key (call $step (call $key) (i32.const 4) (i32.const 324) (i32.const 8)))
      (local.set $key (call $step (local.get $key) (i32.const 0) (i32.const 332) (i32.const 9)))
      (local.set $key (call $step (local.get $key) (i32.const 0) (i32.const 341) (i32.const 3)))
      (call $piece (i32.const 0) (i32.const 0) (i32.const 344) (i32.const 12))
      (call $mac (local.get $key) (i32.const 1))
      (call $say_hex)))
    (if (i32.eq (local.get $what) (i32.const 5)) (then
      (call $open (i32.const 260) (i32.const 5) (i32.const 0) (i32.const 0) (i32.const 64))
      (call $say_error)))
    (if (i32.eq (local.get $what) (i32.const 6)) (then
      (call $open (i32.const 256) (i32.const 3) (i32.const 1) (i32.const 0) (i32.const 64))
      (call $say_error)))
    (if (i32.eq (local.get $what) (i32.const 7)) (then
      (call $mac (i32.add (call $key) (i32.const 1000)) (i32.const 0))))
    (if (i32.eq (local.get $what) (i32.const 8)) (then
      (local.set $key (call $key))
      (call $drop_key (local.get $key))
      (call $mac (local.get $key) (i32.const 0))))
    (if (i32.eq (local.get $what) (i32.const 9)) (then
      (call $mac (call $body) (i32.const 0))))
    (if (i32.eq (local.get $what) (i32.const 10)) (then
      (call $public (i32.const 256) (i32.const 3) (i32.const 64))
      (call $say_error)))
    (if (i32.eq (local.get $what) (i32.const 11)) (then
      (call $say_digits
        (call $versions (i32.const 256) (i32.const 3))
        (call $versions (i32.const 260) (i32.const 5)))))
    (if (i32.eq (local.get $what) (i32.const 12)) (then
      (call $piece (i32.const 0) (i32.const 0) (i32.const 65536) (local.get $count))
      (call $mac (call $key) (i32.const 1))
      (call $say_hex)))
    (if (i32.eq (local.get $what) (i32.const 13)) (then
      (local.set $blob (call $body))
      (local.set $key (call $key))
      (loop $again
        (call $piece (local.get $n) (i32.const 1) (local.get $blob) (i32.const 0))
        (local.set $n (i32.add (local.get $n) (i32.const 1)))
        (br_if $again (i32.lt_u (local.get $n) (local.get $count))))
      (global.set $next (i32.add (i32.const 1024) (i32.mul (local.get $n) (i32.const 12))))
      (call $mac (local.get $key) (local.get $count))
      (call $say_hex)))
    (if (i32.ge_u (local.get $what) (i32.const 14)) (then
      (if (i32.le_u (local.get $what) (i32.const 15)) (then
        (loop $again
          (if (i32.lt_u (local.get $n) (local.get $count)) (then
            (local.set $key (call $key))
            (if (i32.eq (local.get $what) (i32.const 15)) (then (call $drop_key (local.get $key))))
            (local.set $n (i32.add (local.get $n) (i32.const 1)))
            (br $again))))))))
    (if (i32.eq (local.get $what) (i32.const 16)) (then
      (drop (call $key))
      (call $write (i32.const 272) (i32.const 1))
      (i32.store8 (i32.const 16) (i32.const 1))
      (i32.store (i32.const 20) (i32.const 272))
      (i32.store (i32.const 24) (i32.const 1))
      (i32.store (i32.const 28) (i32.const 272))
      (i32.store (i32.const 32) (i32.const 1))))
    (i32.const 16)))
