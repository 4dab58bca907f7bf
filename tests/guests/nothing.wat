;; Asks for nothing and returns no fields.
(module
  (memory (export "memory") 1)
  (func (export "handle") (result i32) (i32.const 16)))
