;; Opens the body as often as the time says and keeps every handle.
(module
  (import "txco:op/call@1.0.0" "now" (func $now (result i64)))
  (import "txco:op/call@1.0.0" "bytes" (func $bytes (param i32 i32 i32)))
  (memory (export "memory") 1)
  (data (i32.const 128) "body")
  (func (export "handle") (result i32)
    (local $left i64)
    (local.set $left (call $now))
    (loop $again
      (if (i64.gt_s (local.get $left) (i64.const 0))
        (then
          (call $bytes (i32.const 128) (i32.const 4) (i32.const 64))
          (if (i32.eqz (i32.load8_u (i32.const 64))) (then (unreachable)))
          (local.set $left (i64.sub (local.get $left) (i64.const 1)))
          (br $again))))
    (i32.const 16)))
