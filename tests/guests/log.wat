;; Logs: the number of lines is the time's upper half, the length of each its lower half.
(module
  (import "txco:op/call@1.0.0" "now" (func $now (result i64)))
  (import "txco:op/log@1.0.0" "write" (func $write (param i32 i32)))
  (memory (export "memory") 4)
  (func (export "handle") (result i32)
    (local $left i64)
    (local.set $left (i64.shr_u (call $now) (i64.const 32)))
    (loop $again
      (if (i64.gt_s (local.get $left) (i64.const 0))
        (then
          (call $write (i32.const 1024) (i32.wrap_i64 (call $now)))
          (local.set $left (i64.sub (local.get $left) (i64.const 1)))
          (br $again))))
    (i32.const 16)))
