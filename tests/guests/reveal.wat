;; Is shown the secret in slot "key", copies it all over its memory, and then does what the
;; time says: 0, 1, 2 return it as data, digest, credential; 3 fail with it as code and
;; message; 4 log it and return nothing; 5 crash; 6 loop for ever; 7 ask for a slot that
;; the rule did not grant and say with which error; 8 ask for a second version likewise;
;; 9 return nothing; 10 return it as credential and as part of the path, "p." and it; 11 fail with
;; code "p" and it as message; 12 return it as credential twice; 13 be shown it again, as often
;; as the upper half of the time says, each copy over the one before.
(module
  (import "txco:op/call@1.0.0" "now" (func $now (result i64)))
  (import "txco:op/secrets@1.0.0" "reveal" (func $reveal (param i32 i32 i32 i32)))
  (import "txco:op/log@1.0.0" "write" (func $write (param i32 i32)))
  (memory (export "memory") 1)
  (global $next (mut i32) (i32.const 4096))
  ;; Room for what the host hands in; never taken back.
  (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32)
    (local $at i32)
    (local.set $at (i32.and (i32.add (global.get $next) (i32.const 7)) (i32.const -8)))
    (global.set $next (i32.add (local.get $at) (local.get 3)))
    (local.get $at))

  (data (i32.const 128) "key")
  (data (i32.const 132) "other")
  (data (i32.const 140) "p")
  (data (i32.const 144) "012")
  (func $field (param $class i32) (param $at i32) (param $len i32)
    (i32.store (i32.const 20) (i32.const 32))
    (i32.store (i32.const 24) (i32.const 1))
    (i32.store (i32.const 32) (i32.const 140))
    (i32.store (i32.const 36) (i32.const 1))
    (i32.store8 (i32.const 40) (local.get $class))
    (i32.store (i32.const 48) (local.get $at))
    (i32.store (i32.const 52) (local.get $len)))
  (func $shown
    (call $reveal (i32.const 128) (i32.const 3) (i32.const 0) (i32.const 64))
    (if (i32.load8_u (i32.const 64)) (then (unreachable))))
  ;; Says with which error a slot was refused, as one digit; crashes when it was not.
  (func $refused (param $slot i32) (param $len i32) (param $index i32)
    (call $reveal (local.get $slot) (local.get $len) (local.get $index) (i32.const 64))
    (if (i32.eqz (i32.load8_u (i32.const 64))) (then (unreachable)))
    (call $field (i32.const 2) (i32.add (i32.const 144) (i32.load8_u (i32.const 68))) (i32.const 1)))
  (func (export "handle") (result i32)
    (local $what i32) (local $at i32) (local $len i32) (local $to i32)
    (local.set $what (i32.wrap_i64 (call $now)))
    (call $shown)
    (local.set $at (i32.load (i32.const 68)))
    (local.set $len (i32.load (i32.const 72)))
    ;; a copy every 1 KiB of the upper half
    (local.set $to (i32.const 32768))
    (loop $copy
      (memory.copy (local.get $to) (local.get $at) (local.get $len))
      (local.set $to (i32.add (local.get $to) (i32.const 1024)))
      (br_if $copy (i32.lt_u (local.get $to) (i32.const 64512))))
    (if (i32.le_u (local.get $what) (i32.const 2))
      (then (call $field (local.get $what) (local.get $at) (local.get $len))))
    (if (i32.eq (local.get $what) (i32.const 3))
      (then
        (i32.store8 (i32.const 16) (i32.const 1))
        (i32.store (i32.const 20) (local.get $at))
        (i32.store (i32.const 24) (local.get $len))
        (i32.store (i32.const 28) (local.get $at))
        (i32.store (i32.const 32) (local.get $len))))
    (if (i32.eq (local.get $what) (i32.const 4))
      (then (call $write (local.get $at) (local.get $len))))
    (if (i32.eq (local.get $what) (i32.const 5)) (then (unreachable)))
    (if (i32.eq (local.get $what) (i32.const 6)) (then (loop $ever (br $ever))))
    (if (i32.eq (local.get $what) (i32.const 7))
      (then (call $refused (i32.const 132) (i32.const 5) (i32.const 0))))
    (if (i32.eq (local.get $what) (i32.const 8))
      (then (call $refused (i32.const 128) (i32.const 3) (i32.const 1))))
    (if (i32.eq (local.get $what) (i32.const 10))
      (then
        (call $field (i32.const 2) (local.get $at) (local.get $len))
        (i32.store16 (i32.const 2048) (i32.const 0x2e70))
        (memory.copy (i32.const 2050) (local.get $at) (local.get $len))
        (i32.store (i32.const 32) (i32.const 2048))
        (i32.store (i32.const 36) (i32.add (i32.const 2) (local.get $len)))))
    (if (i32.eq (local.get $what) (i32.const 11))
      (then
        (i32.store8 (i32.const 16) (i32.const 1))
        (i32.store (i32.const 20) (i32.const 140))
        (i32.store (i32.const 24) (i32.const 1))
        (i32.store (i32.const 28) (local.get $at))
        (i32.store (i32.const 32) (local.get $len))))
    (if (i32.eq (local.get $what) (i32.const 12))
      (then
        (call $field (i32.const 2) (local.get $at) (local.get $len))
        (memory.copy (i32.const 72) (i32.const 32) (i32.const 24))
        (memory.copy (i32.const 96) (i32.const 32) (i32.const 24))
        (i32.store (i32.const 20) (i32.const 72))
        (i32.store (i32.const 24) (i32.const 2))))
    (if (i32.eq (local.get $what) (i32.const 13))
      (then
        (local.set $to (i32.wrap_i64 (i64.shr_u (call $now) (i64.const 32))))
        (loop $again
          (global.set $next (local.get $at))
          (call $shown)
          (local.set $to (i32.sub (local.get $to) (i32.const 1)))
          (br_if $again (local.get $to)))))
    (i32.const 16)))
