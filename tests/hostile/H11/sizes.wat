(import "wasi:cli/stdin@0.2.6" "get-stdin" (func $stdin (result i32)))
(import "wasi:cli/stdout@0.2.6" "get-stdout" (func $stdout (result i32)))
(import "wasi:random/random@0.2.6" "get-random-bytes" (func $random (param i64 i32)))
(import "wasi:io/streams@0.2.6" "[method]input-stream.read" (func $read (param i32 i64 i32)))
(import "wasi:io/streams@0.2.6" "[method]output-stream.check-write" (func $check (param i32 i32)))
(import "wasi:io/streams@0.2.6" "[method]output-stream.write"
  (func $write (param i32 i32 i32 i32)))
@memory @answer @realloc
(func @run
  (local $n i32) (local $in i32) (local $out i32)
  (local.set $in (call $stdin))
  (local.set $out (call $stdout))
  (local.set $n (i32.const 1000))
  (loop $again
    (call $read (local.get $in) (i64.const 0) (i32.const 256))
    ;; err(closed): no buffer is made for it.
    (call $read (local.get $in) (i64.const 268435456) (i32.const 256))
    (if (i32.ne (i32.load8_u (i32.const 256)) (i32.const 1)) (then unreachable))
    (call $check (local.get $out) (i32.const 256))
    (call $write (local.get $out) (i32.const 4096) (i32.const 0) (i32.const 256))
    (call $random (i64.const 0) (i32.const 256))
    (local.set $n (i32.sub (local.get $n) (i32.const 1)))
    (br_if $again (local.get $n)))
  (i32.const 1024))
