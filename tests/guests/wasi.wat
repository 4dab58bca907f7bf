;; Asks an operating system for things. The time's lowest byte says for what, the rest how often.
(module
  (import "txco:op/call@1.0.0" "now" (func $now (result i64)))
  (import "wasi:cli/environment@0.2.3" "get-environment" (func $environment (param i32)))
  (import "wasi:cli/environment@0.2.3" "get-arguments" (func $arguments (param i32)))
  (import "wasi:cli/exit@0.2.3" "exit" (func $exit (param i32)))
  (import "wasi:cli/exit@0.2.3" "exit-with-code" (func $exit-with-code (param i32)))
  (import "wasi:cli/stderr@0.2.3" "get-stderr" (func $stderr (result i32)))
  (import "wasi:io/streams@0.2.3" "[method]output-stream.blocking-write-and-flush"
    (func $write (param i32 i32 i32 i32)))
  (import "wasi:clocks/wall-clock@0.2.3" "now" (func $wall (param i32)))
  (import "wasi:clocks/monotonic-clock@0.2.3" "now" (func $monotonic (result i64)))
  (import "wasi:clocks/monotonic-clock@0.2.3" "subscribe-duration" (func $after (param i64) (result i32)))
  (import "wasi:io/poll@0.2.3" "[method]pollable.block" (func $block (param i32)))
  (import "wasi:filesystem/preopens@0.2.3" "get-directories" (func $directories (param i32)))
  (import "wasi:random/random@0.2.3" "get-random-u64" (func $random (result i64)))
  (memory (export "memory") 1)
  (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (i32.const 8192))
  (data (i32.const 128) "p")
  (data (i32.const 160) "printed\0a")
  ;; The length of a list that was handed out at 64 must be none.
  (func $empty (if (i32.load (i32.const 68)) (then (unreachable))))
  (func (export "handle") (result i32)
    (local $what i64) (local $left i64) (local $number i64) (local $to i32)
    (local.set $what (i64.and (call $now) (i64.const 255)))
    (local.set $left (i64.shr_u (call $now) (i64.const 8)))
    ;; 0: it is empty, and its clocks stand at the time of the call, also after an hour
    (if (i64.eq (local.get $what) (i64.const 0))
      (then
        (call $environment (i32.const 64)) (call $empty)
        (call $arguments (i32.const 64)) (call $empty)
        (call $directories (i32.const 64)) (call $empty)
        (call $block (call $after (i64.const 3600000000000)))
        (call $wall (i32.const 64))
        (if (i64.ne (call $now)
              (i64.add (i64.mul (i64.load (i32.const 64)) (i64.const 1000))
                (i64.div_u (i64.load32_u (i32.const 72)) (i64.const 1000000))))
          (then (unreachable)))
        (if (i64.ne (call $monotonic) (i64.mul (call $now) (i64.const 1000000))) (then (unreachable)))))
    ;; 1: ends itself; 2: calls what is not there
    (if (i64.eq (local.get $what) (i64.const 1)) (then (call $exit (i32.const 0))))
    (if (i64.eq (local.get $what) (i64.const 2)) (then (call $exit-with-code (i32.const 3))))
    ;; 3: prints; 4: prints and crashes
    (if (i64.eq (i64.div_u (i64.add (local.get $what) (i64.const 1)) (i64.const 2)) (i64.const 2))
      (then
        (loop $again
          (if (i64.gt_s (local.get $left) (i64.const 0))
            (then
              (call $write (call $stderr) (i32.const 160) (i32.const 8) (i32.const 64))
              (local.set $left (i64.sub (local.get $left) (i64.const 1)))
              (br $again))))))
    (if (i64.eq (local.get $what) (i64.const 4)) (then (unreachable)))
    ;; 5: a random number, 63 bits in decimal
    (if (i64.eq (local.get $what) (i64.const 5))
      (then
        (local.set $number (i64.shr_u (call $random) (i64.const 1)))
        (local.set $to (i32.const 512))
        (loop $digit
          (local.set $to (i32.sub (local.get $to) (i32.const 1)))
          (i32.store8 (local.get $to)
            (i32.add (i32.const 48) (i32.wrap_i64 (i64.rem_u (local.get $number) (i64.const 10)))))
          (local.set $number (i64.div_u (local.get $number) (i64.const 10)))
          (br_if $digit (i64.ne (local.get $number) (i64.const 0))))
        (i32.store (i32.const 20) (i32.const 32))
        (i32.store (i32.const 24) (i32.const 1))
        (i32.store (i32.const 32) (i32.const 128))
        (i32.store (i32.const 36) (i32.const 1))
        (i32.store (i32.const 48) (local.get $to))
        (i32.store (i32.const 52) (i32.sub (i32.const 512) (local.get $to)))))
    (i32.const 16)))
