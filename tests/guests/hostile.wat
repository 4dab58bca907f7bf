;; Is shown the secret in slot "key", puts copies of it all over its memory, and then does what
;; the rule's parameter "attack" says, a number:
;; 0 returns it as credential "p"; 1 loops for ever; 2 grows its memory for ever, with a copy in
;; each page; 3 grows its table for ever; 4 recurses for ever, with the secret in the locals of
;; each step; 5 asks for the time for ever; 6 returns 64 fields of 16 MiB, a gigabyte in all;
;; 7 logs it for ever; 8 asks for a slot that the rule did not grant, 9 for the secret of another
;; tenant, and both fail with the refusal as code; 10 crashes; 11 returns it as data, 12 as
;; digest; 13 fails with it as code and message; 14 logs it once; 15 returns a field below "p."
;; that is named by it; 16 the same below the answer's headers; 17 returns it behind a line break
;; and a header; 18 recurses 2,000 deep, as 4 does, and comes back; 19 reads past its memory.
(module
  (import "txco:op/call@1.0.0" "now" (func $now (result i64)))
  (import "txco:op/call@1.0.0" "param" (func $param (param i32 i32 i32)))
  (import "txco:op/secrets@1.0.0" "reveal" (func $reveal (param i32 i32 i32 i32)))
  (import "txco:op/log@1.0.0" "write" (func $write (param i32 i32)))
  (memory (export "memory") 1)
  (table $table 0 funcref)
  (global $next (mut i32) (i32.const 4096))
  (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32)
    (local $at i32)
    (local.set $at (i32.and (i32.add (global.get $next) (i32.const 7)) (i32.const -8)))
    (global.set $next (i32.add (local.get $at) (local.get 3)))
    (local.get $at))

  ;; 16 what handle returns, 32 the field, 64 what the host returns, 128 texts, 512 text out,
  ;; 8192 more fields
  (data (i32.const 128) "key")
  (data (i32.const 132) "other")
  (data (i32.const 140) "p")
  (data (i32.const 144) "attack")
  (data (i32.const 152) "acme.THE_SECRET")
  (data (i32.const 176) "no-such-slot")
  (data (i32.const 192) "denied")
  (data (i32.const 208) "p.")
  (data (i32.const 216) "@web.res.headers.")
  (data (i32.const 240) "x\0d\0aX-Injected: ")

  (func $attack (result i32)
    (local $at i32) (local $end i32) (local $n i32)
    (call $param (i32.const 144) (i32.const 6) (i32.const 64))
    (local.set $at (i32.load (i32.const 72)))
    (local.set $end (i32.add (local.get $at) (i32.load (i32.const 76))))
    (loop $digit
      (if (i32.lt_u (local.get $at) (local.get $end)) (then
        (local.set $n (i32.add
          (i32.mul (local.get $n) (i32.const 10))
          (i32.sub (i32.load8_u (local.get $at)) (i32.const 48))))
        (local.set $at (i32.add (local.get $at) (i32.const 1)))
        (br $digit))))
    (local.get $n))

  (func $field_at (param $place i32) (param $path i32) (param $path_len i32)
      (param $class i32) (param $at i32) (param $len i32)
    (i32.store (local.get $place) (local.get $path))
    (i32.store (i32.add (local.get $place) (i32.const 4)) (local.get $path_len))
    (i32.store8 (i32.add (local.get $place) (i32.const 8)) (local.get $class))
    (i32.store (i32.add (local.get $place) (i32.const 16)) (local.get $at))
    (i32.store (i32.add (local.get $place) (i32.const 20)) (local.get $len)))
  (func $fields (param $place i32) (param $count i32)
    (i32.store (i32.const 20) (local.get $place))
    (i32.store (i32.const 24) (local.get $count)))
  (func $say (param $class i32) (param $at i32) (param $len i32)
    (call $field_at (i32.const 32) (i32.const 140) (i32.const 1)
      (local.get $class) (local.get $at) (local.get $len))
    (call $fields (i32.const 32) (i32.const 1)))
  (func $fail (param $code i32) (param $code_len i32) (param $at i32) (param $len i32)
    (i32.store8 (i32.const 16) (i32.const 1))
    (i32.store (i32.const 20) (local.get $code))
    (i32.store (i32.const 24) (local.get $code_len))
    (i32.store (i32.const 28) (local.get $at))
    (i32.store (i32.const 32) (local.get $len)))
  ;; Asks for a slot, and fails with the refusal: 0 no-such-slot, 2 denied.
  (func $ask (param $slot i32) (param $len i32)
    (call $reveal (local.get $slot) (local.get $len) (i32.const 0) (i32.const 64))
    (if (i32.eqz (i32.load8_u (i32.const 64))) (then (unreachable)))
    (if (i32.eqz (i32.load8_u (i32.const 68)))
      (then (call $fail (i32.const 176) (i32.const 12) (i32.const 140) (i32.const 1))))
    (if (i32.eq (i32.load8_u (i32.const 68)) (i32.const 2))
      (then (call $fail (i32.const 192) (i32.const 6) (i32.const 140) (i32.const 1)))))
  ;; A text in front of the secret, at 512: how long both are.
  (func $joined (param $text i32) (param $text_len i32) (param $at i32) (param $len i32) (result i32)
    (memory.copy (i32.const 512) (local.get $text) (local.get $text_len))
    (memory.copy (i32.add (i32.const 512) (local.get $text_len)) (local.get $at) (local.get $len))
    (i32.add (local.get $text_len) (local.get $len)))
  ;; Goes so many steps deep, 0 without end; the end of the secret is in each step's locals, in
  ;; use again after the next one.
  (func $deep (param $left i32) (param $end i32) (result i32)
    (local $a v128) (local $b i64) (local $below i32)
    (local.set $a (v128.load (i32.sub (local.get $end) (i32.const 16))))
    (local.set $b (i64.load (i32.sub (local.get $end) (i32.const 24))))
    (if (i32.ne (local.get $left) (i32.const 1))
      (then (local.set $below
        (call $deep (i32.sub (local.get $left) (i32.const 1)) (local.get $end)))))
    (i32.add (local.get $below)
      (i32.add (i32x4.extract_lane 1 (local.get $a)) (i32.wrap_i64 (local.get $b)))))

  (func (export "handle") (result i32)
    (local $what i32) (local $at i32) (local $len i32) (local $to i32)
    (local.set $what (call $attack))
    (call $reveal (i32.const 128) (i32.const 3) (i32.const 0) (i32.const 64))
    (if (i32.load8_u (i32.const 64)) (then (unreachable)))
    (local.set $at (i32.load (i32.const 68)))
    (local.set $len (i32.load (i32.const 72)))
    ;; a copy every 1 KiB of the upper half
    (local.set $to (i32.const 32768))
    (loop $copy
      (memory.copy (local.get $to) (local.get $at) (local.get $len))
      (local.set $to (i32.add (local.get $to) (i32.const 1024)))
      (br_if $copy (i32.lt_u (local.get $to) (i32.const 64512))))
    (if (i32.eqz (local.get $what))
      (then (call $say (i32.const 2) (local.get $at) (local.get $len))))
    (if (i32.eq (local.get $what) (i32.const 1)) (then (loop $ever (br $ever))))
    (if (i32.eq (local.get $what) (i32.const 2)) (then
      (loop $ever
        (if (i32.eq (memory.grow (i32.const 1)) (i32.const -1)) (then (unreachable)))
        (memory.copy
          (i32.shl (i32.sub (memory.size) (i32.const 1)) (i32.const 16))
          (local.get $at) (local.get $len))
        (br $ever))))
    (if (i32.eq (local.get $what) (i32.const 3)) (then
      (loop $ever
        (if (i32.eq (table.grow $table (ref.null func) (i32.const 10)) (i32.const -1))
          (then (unreachable)))
        (br $ever))))
    (if (i32.eq (local.get $what) (i32.const 4))
      (then (drop (call $deep (i32.const 0) (i32.add (local.get $at) (local.get $len))))))
    (if (i32.eq (local.get $what) (i32.const 5)) (then (loop $ever (drop (call $now)) (br $ever))))
    (if (i32.eq (local.get $what) (i32.const 6)) (then
      (if (i32.eq (memory.grow (i32.const 256)) (i32.const -1)) (then (unreachable)))
      (local.set $to (i32.const 0))
      (loop $more
        (call $field_at
          (i32.add (i32.const 8192) (i32.mul (local.get $to) (i32.const 24)))
          (i32.const 140) (i32.const 1) (i32.const 2) (i32.const 65536) (i32.const 16777216))
        (local.set $to (i32.add (local.get $to) (i32.const 1)))
        (br_if $more (i32.lt_u (local.get $to) (i32.const 64))))
      (call $fields (i32.const 8192) (i32.const 64))))
    (if (i32.eq (local.get $what) (i32.const 7))
      (then (loop $ever (call $write (local.get $at) (local.get $len)) (br $ever))))
    (if (i32.eq (local.get $what) (i32.const 8))
      (then (call $ask (i32.const 132) (i32.const 5))))
    (if (i32.eq (local.get $what) (i32.const 9))
      (then (call $ask (i32.const 152) (i32.const 15))))
    (if (i32.eq (local.get $what) (i32.const 10)) (then (unreachable)))
    (if (i32.eq (local.get $what) (i32.const 11))
      (then (call $say (i32.const 0) (local.get $at) (local.get $len))))
    (if (i32.eq (local.get $what) (i32.const 12))
      (then (call $say (i32.const 1) (local.get $at) (local.get $len))))
    (if (i32.eq (local.get $what) (i32.const 13))
      (then (call $fail (local.get $at) (local.get $len) (local.get $at) (local.get $len))))
    (if (i32.eq (local.get $what) (i32.const 14))
      (then (call $write (local.get $at) (local.get $len))))
    (if (i32.eq (local.get $what) (i32.const 15)) (then
      (call $field_at (i32.const 32) (i32.const 512)
        (call $joined (i32.const 208) (i32.const 2) (local.get $at) (local.get $len))
        (i32.const 2) (i32.const 140) (i32.const 1))
      (call $fields (i32.const 32) (i32.const 1))))
    (if (i32.eq (local.get $what) (i32.const 16)) (then
      (call $field_at (i32.const 32) (i32.const 512)
        (call $joined (i32.const 216) (i32.const 17) (local.get $at) (local.get $len))
        (i32.const 2) (i32.const 140) (i32.const 1))
      (call $fields (i32.const 32) (i32.const 1))))
    (if (i32.eq (local.get $what) (i32.const 17))
      (then (call $say (i32.const 2) (i32.const 512)
        (call $joined (i32.const 240) (i32.const 15) (local.get $at) (local.get $len)))))
    (if (i32.eq (local.get $what) (i32.const 18)) (then
      (i32.store (i32.const 600)
        (call $deep (i32.const 2000) (i32.add (local.get $at) (local.get $len))))))
    (if (i32.eq (local.get $what) (i32.const 19))
      (then (drop (i32.load8_u (i32.shl (memory.size) (i32.const 16))))))
    (i32.const 16)))
