;; Imports the interface that is linked nowhere yet.
(module
  (import "txco:op/keys@1.0.0" "versions" (func (param i32 i32) (result i32)))
  (memory (export "memory") 1)
  (func (export "handle") (result i32) (i32.const 16)))
