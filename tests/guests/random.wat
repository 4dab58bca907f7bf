;; Asks for as many random bytes at once as the lower half of the time says, as often as its
;; upper half says and once more, and returns the first 8 bytes of the last as a number.
(module
  (import "txco:op/call@1.0.0" "now" (func $now (result i64)))
  (import "txco:op/random@1.0.0" "bytes" (func $random (param i32 i32)))
  (memory (export "memory") 1)
  ;; Each draw is put over the one before.
  (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (i32.const 8192))
  (data (i32.const 128) "p")
  (func (export "handle") (result i32)
    (local $left i64) (local $number i64) (local $to i32)
    (local.set $left (i64.shr_u (call $now) (i64.const 32)))
    (loop $again
      (call $random (i32.wrap_i64 (call $now)) (i32.const 64))
      (local.set $left (i64.sub (local.get $left) (i64.const 1)))
      (br_if $again (i64.ge_s (local.get $left) (i64.const 0))))
    ;; 63 bits, in decimal, from the last digit on
    (local.set $number (i64.shr_u (i64.load (i32.const 8192)) (i64.const 1)))
    (local.set $to (i32.const 512))
    (loop $digit
      (local.set $to (i32.sub (local.get $to) (i32.const 1)))
      (i32.store8 (local.get $to)
        (i32.add (i32.const 48) (i32.wrap_i64 (i64.rem_u (local.get $number) (i64.const 10)))))
      (local.set $number (i64.div_u (local.get $number) (i64.const 10)))
      (br_if $digit (i64.ne (local.get $number) (i64.const 0))))
    (i32.store (i32.const 20) (i32.const 32))
    (i32.store (i32.const 24) (i32.const 1))
    (i32.store (i32.const 32) (i32.const 128))
    (i32.store (i32.const 36) (i32.const 1))
    (i32.store (i32.const 48) (local.get $to))
    (i32.store (i32.const 52) (i32.sub (i32.const 512) (local.get $to)))
    (i32.const 16)))
