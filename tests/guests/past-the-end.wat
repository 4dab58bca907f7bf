;; Reads the byte that is as far behind the end of its memory as the time says.
(module
  (import "txco:op/call@1.0.0" "now" (func $now (result i64)))
  (memory (export "memory") 1)
  (func (export "handle") (result i32)
    (drop (i32.load8_u (i32.add
      (i32.mul (memory.size) (i32.const 65536))
      (i32.wrap_i64 (call $now)))))
    (i32.const 16)))
