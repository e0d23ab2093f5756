;; Five thousand handles, one at a time.
(component
  (type $thing (resource (rep i32)))
  (core func $new (canon resource.new $thing))
  (core func $drop (canon resource.drop $thing))
  (core module $main
    (import "" "new" (func $new (param i32) (result i32)))
    (import "" "drop" (func $drop (param i32)))
    (func $start (local $n i32)
      (loop $again
        (call $drop (call $new (i32.const 7)))
        (local.set $n (i32.add (local.get $n) (i32.const 1)))
        (br_if $again (i32.lt_u (local.get $n) (i32.const 5000)))))
    (start $start))
  (core instance (instantiate $main
    (with "" (instance (export "new" (func $new)) (export "drop" (func $drop)))))))
