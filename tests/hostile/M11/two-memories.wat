;; Looks for anything in memories, table and global before the first call, then
;; leaves a mark in all of it.
(memory (export "memory") 2)
(memory $second 1)
(table $table 10 funcref)
(global $global (mut i64) (i64.const 0))
@answer
@realloc
(elem declare func $mark)
(func $clean (param $from i32) (param $to i32)
  (loop $next
    (if (i64.ne (i64.load (local.get $from)) (i64.const 0)) (then unreachable))
    (local.set $from (i32.add (local.get $from) (i32.const 8)))
    (br_if $next (i32.lt_u (local.get $from) (local.get $to)))))
(func $clean-second (param $from i32) (param $to i32)
  (loop $next
    (if (i64.ne (i64.load $second (local.get $from)) (i64.const 0)) (then unreachable))
    (local.set $from (i32.add (local.get $from) (i32.const 8)))
    (br_if $next (i32.lt_u (local.get $from) (local.get $to)))))
(func $clean-table (local $at i32)
  (loop $next
    (if (i32.eqz (ref.is_null (table.get $table (local.get $at)))) (then unreachable))
    (local.set $at (i32.add (local.get $at) (i32.const 1)))
    (br_if $next (i32.lt_u (local.get $at) (table.size $table)))))
(func $look
  (if (i64.ne (global.get $global) (i64.const 0)) (then unreachable))
  (call $clean (i32.const 4096) (i32.const 131072))
  (call $clean-second (i32.const 0) (i32.const 65536))
  (call $clean-table)
  (drop (memory.grow (i32.const 30)))
  (drop (memory.grow $second (i32.const 31)))
  (drop (table.grow $table (ref.null func) (i32.const 990)))
  (call $clean (i32.const 131072) (i32.const 2097152))
  (call $clean-second (i32.const 65536) (i32.const 2097152))
  (call $clean-table))
(start $look)
(func $mark @run
  (global.set $global (i64.const -1))
  (memory.fill (i32.const 4096) (i32.const 0xa5) (i32.const 2093056))
  (memory.fill $second (i32.const 0) (i32.const 0xa5) (i32.const 2097152))
  (table.fill $table (i32.const 0) (ref.func $mark) (i32.const 1000))
  (i32.const 1024))
