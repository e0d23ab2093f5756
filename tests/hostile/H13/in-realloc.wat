(import "wasi:cli/exit@0.2.6" "exit" (func $exit (param i32)))
@complete
@memory @request
(global $asked (mut i32) (i32.const 0))
(func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32)
  (if (global.get $asked) (then (call $exit (i32.const 0))))
  (i32.const 8192))
(func @run
  (global.set $asked (i32.const 1))
  (call $complete (i32.const 2048) (i32.const 3072))
  unreachable)
