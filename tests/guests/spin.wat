;; Goes round a loop as often as the time says, then returns no fields.
(module
  (import "txco:op/call@1.0.0" "now" (func $now (result i64)))
  (memory (export "memory") 1)
  (func (export "handle") (result i32)
    (local $left i64)
    (local.set $left (call $now))
    (loop $again
      (local.set $left (i64.sub (local.get $left) (i64.const 1)))
      (br_if $again (i64.gt_s (local.get $left) (i64.const 0))))
    (i32.const 16)))
