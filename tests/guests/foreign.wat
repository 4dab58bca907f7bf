;; A component that asks for something no op may have.
(component
  (import "wasi:http/outgoing-handler@0.2.0" (instance))
  (core module $m (func (export "handle")))
  (core instance $i (instantiate $m))
  (func (export "handle") (canon lift (core func $i "handle"))))
