;; Every allocation grows the memory and lies in the new page, so that the host
;; writes each field after the memory has moved on.
@memory
@answer
(func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32)
  (i32.shl (memory.grow (i32.const 1)) (i32.const 16)))
;; Of the task: `kind` is "attack", the first finding's `code` "wrong-total".
(func @run
  (if (i32.ne (local.get 3) (i32.const 6)) (then unreachable))
  (if (i32.ne (i32.load (local.get 2)) (i32.const 0x61747461)) (then unreachable))
  (if (i32.ne (local.get 10) (i32.const 1)) (then unreachable))
  (if (i32.ne (i32.load offset=12 (local.get 9)) (i32.const 11)) (then unreachable))
  (if (i32.ne (i32.load (i32.load offset=8 (local.get 9))) (i32.const 0x6e6f7277)) (then unreachable))
  (i32.const 1024))
