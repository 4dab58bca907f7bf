;; Returns one field whose path and value together have as many bytes as the time says.
(module
  (import "txco:op/call@1.0.0" "now" (func $now (result i64)))
  (memory (export "memory") 128)
  (data (i32.const 64) "p")
  (func (export "handle") (result i32)
    ;; ok, a list of one
    (i32.store (i32.const 20) (i32.const 32))
    (i32.store (i32.const 24) (i32.const 1))
    ;; path "p", class data, value text
    (i32.store (i32.const 32) (i32.const 64))
    (i32.store (i32.const 36) (i32.const 1))
    (i32.store8 (i32.const 40) (i32.const 0))
    (i32.store8 (i32.const 44) (i32.const 0))
    (i32.store (i32.const 48) (i32.const 65536))
    (i32.store (i32.const 52) (i32.sub (i32.wrap_i64 (call $now)) (i32.const 1)))
    (i32.const 16)))
