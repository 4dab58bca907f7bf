;; Is shown the secret in slot "key" and returns nothing; crashes when it may not see it.
(module
  (import "txco:op/secrets@1.0.0" "reveal" (func $reveal (param i32 i32 i32 i32)))
  (memory (export "memory") 1)
  (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (i32.const 4096))
  (data (i32.const 128) "key")
  (func (export "handle") (result i32)
    (call $reveal (i32.const 128) (i32.const 3) (i32.const 0) (i32.const 64))
    (if (i32.load8_u (i32.const 64)) (then (unreachable)))
    (i32.const 16)))
