;; Finds a time between two milliseconds, or answers that there is none.
(import "wasi:clocks/monotonic-clock@0.2.6" "now" (func $now (result i64)))
(import "wasi:clocks/wall-clock@0.2.6" "now" (func $wall (param i32)))
@memory @answer @realloc
(func @run
  (local $n i32)
  (local.set $n (i32.const 2000))
  (loop $again
    (if (i64.ne (i64.rem_u (call $now) (i64.const 1000000)) (i64.const 0)) (then unreachable))
    (call $wall (i32.const 256))
    (if (i32.rem_u (i32.load (i32.const 264)) (i32.const 1000000)) (then unreachable))
    (local.set $n (i32.sub (local.get $n) (i32.const 1)))
    (br_if $again (local.get $n)))
  (i32.const 1024))
