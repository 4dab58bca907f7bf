;; Opens the key in slot "key", when there is one, and returns nothing; crashes when it may
;; not use it.
(module
  (import "txco:op/keys@1.0.0" "versions" (func $versions (param i32 i32) (result i32)))
  (import "txco:op/keys@1.0.0" "open" (func $open (param i32 i32 i32 i32 i32)))
  (memory (export "memory") 1)
  (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (i32.const 4096))
  (data (i32.const 128) "key")
  (func (export "handle") (result i32)
    (if (call $versions (i32.const 128) (i32.const 3))
      (then
        (call $open (i32.const 128) (i32.const 3) (i32.const 0) (i32.const 0) (i32.const 64))
        (if (i32.load8_u (i32.const 64)) (then (unreachable)))))
    (i32.const 16)))
