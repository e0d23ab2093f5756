(import "wasi:clocks/monotonic-clock@0.2.6" "subscribe-duration"
  (func $timer (param i64) (result i32)))
(import "wasi:io/poll@0.2.6" "poll" (func $poll (param i32 i32 i32)))
@answer @realloc
(memory (export "memory") 80)
(func @run
  (local $at i32) (local $timer i32)
  (local.set $timer (call $timer (i64.const 0)))
  (local.set $at (i32.const 1048576))
  (loop $again
    (i32.store (local.get $at) (local.get $timer))
    (local.set $at (i32.add (local.get $at) (i32.const 4)))
    (br_if $again (i32.lt_u (local.get $at) (i32.const 5048576))))
  (call $poll (i32.const 1048576) (i32.const 1000000) (i32.const 256))
  (i32.const 1024))
