;; Opens the key in slot "key" and does what the rule's parameter "attack" says, a number:
;; 0 returns the HMAC-SHA256 of the body as digest "p", in hex; 1 signs with a handle that never
;; was; 2 with one that was dropped; 3 with one of a blob; 4 signs the body 64 times over with
;; SHA-512, in one host call; 5 opens a slot that the rule did not grant, and fails with the
;; refusal as code; 6 signs and crashes; 7 signs and loops for ever; 8 opens keys for ever;
;; 9 copies the body into its memory and signs that, otherwise as 0.
(module
  (import "txco:op/call@1.0.0" "param" (func $param (param i32 i32 i32)))
  (import "txco:op/call@1.0.0" "bytes" (func $bytes (param i32 i32 i32)))
  (import "txco:op/call@1.0.0" "[method]blob.len" (func $len (param i32) (result i64)))
  (import "txco:op/call@1.0.0" "[method]blob.read" (func $read (param i32 i64 i32 i32)))
  (import "txco:op/keys@1.0.0" "open" (func $open (param i32 i32 i32 i32 i32)))
  (import "txco:op/keys@1.0.0" "[method]key.sign" (func $sign (param i32 i32 i32 i32 i32)))
  (import "txco:op/keys@1.0.0" "[resource-drop]key" (func $drop_key (param i32)))
  (memory (export "memory") 1)
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
  (data (i32.const 276) "attack")
  (data (i32.const 284) "no-such-slot")
  (data (i32.const 300) "0123456789abcdef")

  (func $attack (result i32)
    (call $param (i32.const 276) (i32.const 6) (i32.const 64))
    (i32.sub (i32.load8_u (i32.load (i32.const 72))) (i32.const 48)))
  ;; The list of bytes that the host returned at 64, as hex.
  (func $say_hex
    (local $at i32) (local $end i32) (local $to i32)
    (local.set $at (i32.load (i32.const 68)))
    (local.set $end (i32.add (local.get $at) (i32.load (i32.const 72))))
    (local.set $to (i32.const 512))
    (loop $byte
      (i32.store8 (local.get $to)
        (i32.load8_u (i32.add (i32.const 300) (i32.shr_u (i32.load8_u (local.get $at)) (i32.const 4)))))
      (i32.store8 (i32.add (local.get $to) (i32.const 1))
        (i32.load8_u (i32.add (i32.const 300) (i32.and (i32.load8_u (local.get $at)) (i32.const 15)))))
      (local.set $to (i32.add (local.get $to) (i32.const 2)))
      (local.set $at (i32.add (local.get $at) (i32.const 1)))
      (br_if $byte (i32.lt_u (local.get $at) (local.get $end))))
    (i32.store (i32.const 20) (i32.const 32))
    (i32.store (i32.const 24) (i32.const 1))
    (i32.store (i32.const 32) (i32.const 272))
    (i32.store (i32.const 36) (i32.const 1))
    (i32.store8 (i32.const 40) (i32.const 1))
    (i32.store (i32.const 48) (i32.const 512))
    (i32.store (i32.const 52) (i32.sub (local.get $to) (i32.const 512))))
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
  ;; Signs the body, so many times over.
  (func $signed (param $key i32) (param $algorithm i32) (param $times i32)
    (local $blob i32) (local $n i32) (local $piece i32)
    (local.set $blob (call $body))
    (loop $again
      (local.set $piece (i32.add (i32.const 1024) (i32.mul (local.get $n) (i32.const 12))))
      (i32.store8 (local.get $piece) (i32.const 1))
      (i32.store (i32.add (local.get $piece) (i32.const 4)) (local.get $blob))
      (local.set $n (i32.add (local.get $n) (i32.const 1)))
      (br_if $again (i32.lt_u (local.get $n) (local.get $times))))
    (call $sign (local.get $key) (local.get $algorithm) (i32.const 1024) (local.get $times) (i32.const 64))
    (drop (call $opened)))

  ;; Signs a copy of the body.
  (func $copied (param $key i32)
    (local $blob i32) (local $bytes i32)
    (local.set $blob (call $body))
    (local.set $bytes (i32.wrap_i64 (call $len (local.get $blob))))
    (if (i32.eq (i32.const -1)
          (memory.grow (i32.shr_u (i32.add (local.get $bytes) (i32.const 8192)) (i32.const 16))))
      (then (unreachable)))
    (call $read (local.get $blob) (i64.const 0) (local.get $bytes) (i32.const 64))
    (i32.store8 (i32.const 1024) (i32.const 0))
    (i32.store (i32.const 1028) (i32.load (i32.const 64)))
    (i32.store (i32.const 1032) (i32.load (i32.const 68)))
    (call $sign (local.get $key) (i32.const 1) (i32.const 1024) (i32.const 1) (i32.const 64))
    (drop (call $opened)))

  (func (export "handle") (result i32)
    (local $what i32) (local $key i32)
    (local.set $what (call $attack))
    (local.set $key (call $key))
    (if (i32.eqz (local.get $what)) (then
      (call $signed (local.get $key) (i32.const 1) (i32.const 1))
      (call $say_hex)))
    (if (i32.eq (local.get $what) (i32.const 1))
      (then (call $signed (i32.add (local.get $key) (i32.const 1000)) (i32.const 1) (i32.const 1))))
    (if (i32.eq (local.get $what) (i32.const 2)) (then
      (call $drop_key (local.get $key))
      (call $signed (local.get $key) (i32.const 1) (i32.const 1))))
    (if (i32.eq (local.get $what) (i32.const 3))
      (then (call $signed (call $body) (i32.const 1) (i32.const 1))))
    (if (i32.eq (local.get $what) (i32.const 4))
      (then (call $signed (local.get $key) (i32.const 2) (i32.const 64))))
    (if (i32.eq (local.get $what) (i32.const 5)) (then
      (call $open (i32.const 260) (i32.const 5) (i32.const 0) (i32.const 0) (i32.const 64))
      ;; refused, because there is no such slot
      (if (i32.eqz (i32.load8_u (i32.const 64))) (then (unreachable)))
      (if (i32.or (i32.load8_u (i32.const 68)) (i32.load8_u (i32.const 72))) (then (unreachable)))
      (i32.store8 (i32.const 16) (i32.const 1))
      (i32.store (i32.const 20) (i32.const 284))
      (i32.store (i32.const 24) (i32.const 12))))
    (if (i32.eq (local.get $what) (i32.const 6)) (then
      (call $signed (local.get $key) (i32.const 1) (i32.const 1))
      (unreachable)))
    (if (i32.eq (local.get $what) (i32.const 7)) (then
      (call $signed (local.get $key) (i32.const 1) (i32.const 1))
      (loop $ever (br $ever))))
    (if (i32.eq (local.get $what) (i32.const 9)) (then
      (call $copied (local.get $key))
      (call $say_hex)))
    (if (i32.eq (local.get $what) (i32.const 8)) (then (loop $ever (drop (call $key)) (br $ever))))
    (i32.const 16)))
