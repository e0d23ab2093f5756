;; Another module in the same slots: its memory is as large from the start, and
;; it has no data, so that it has no image of its own.
(memory (export "memory") 32)
(table $table 1000 funcref)
@realloc
(elem declare func $mark)
(func $look (local $at i32)
  (loop $next
    (if (i64.ne (i64.load (local.get $at)) (i64.const 0)) (then unreachable))
    (local.set $at (i32.add (local.get $at) (i32.const 8)))
    (br_if $next (i32.lt_u (local.get $at) (i32.const 2097152))))
  (local.set $at (i32.const 0))
  (loop $next
    (if (i32.eqz (ref.is_null (table.get $table (local.get $at)))) (then unreachable))
    (local.set $at (i32.add (local.get $at) (i32.const 1)))
    (br_if $next (i32.lt_u (local.get $at) (i32.const 1000)))))
(start $look)
(func $mark @run
  (memory.fill (i32.const 0) (i32.const 0xa5) (i32.const 2097152))
  (table.fill $table (i32.const 0) (ref.func $mark) (i32.const 1000))
  ;; The answer: `ok`, an empty text, nothing else.
  (memory.fill (i32.const 1024) (i32.const 0) (i32.const 64))
  (i32.const 1024))
