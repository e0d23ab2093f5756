;; Every allocation grows the memory and lies in the new page, so that the host
;; writes each field after the memory has moved on.
(import "hotcell:capability/context@0.1.0" "current" (func $current (param i32)))
@memory
@answer
(func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32)
  (i32.shl (memory.grow (i32.const 1)) (i32.const 16)))
;; Of the context: `run-id` is "run", `step-id` "step", `tenant` "hostile".
(func @run
  (call $current (i32.const 4096))
  (if (i32.ne (i32.load16_u (i32.load (i32.const 4096))) (i32.const 0x7572)) (then unreachable))
  (if (i32.ne (i32.load (i32.load (i32.const 4104))) (i32.const 0x70657473)) (then unreachable))
  (if (i32.ne (i32.load (i32.load (i32.const 4116))) (i32.const 0x74736f68)) (then unreachable))
  (i32.const 1024))
