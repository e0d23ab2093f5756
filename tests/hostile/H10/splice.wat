;; Input is empty and closed, so there is nothing to lead anywhere: every splice
;; says that it is closed, whatever it was asked for.
(import "wasi:cli/stdin@0.2.6" "get-stdin" (func $stdin (result i32)))
(import "wasi:cli/stdout@0.2.6" "get-stdout" (func $stdout (result i32)))
(import "wasi:io/streams@0.2.6" "[method]output-stream.splice"
  (func $splice (param i32 i32 i64 i32)))
@memory @answer @realloc
(func @run
  (local $n i32) (local $in i32) (local $out i32)
  (local.set $in (call $stdin))
  (local.set $out (call $stdout))
  (local.set $n (i32.const 1000))
  (loop $again
    (call $splice (local.get $out) (local.get $in) (i64.const 268435456) (i32.const 256))
    ;; err(closed)
    (if (i32.ne (i32.load8_u (i32.const 256)) (i32.const 1)) (then unreachable))
    (if (i32.ne (i32.load8_u (i32.const 264)) (i32.const 1)) (then unreachable))
    (local.set $n (i32.sub (local.get $n) (i32.const 1)))
    (br_if $again (local.get $n)))
  (i32.const 1024))
