;; A resource whose destructor never returns, and a drop of it.
(component
  (core module $destructor (func (export "spin") (param i32) (loop (br 0))))
  (core instance $destructor (instantiate $destructor))
  (type $thing (resource (rep i32) (dtor (func $destructor "spin"))))
  (core func $new (canon resource.new $thing))
  (core func $drop (canon resource.drop $thing))
  (core module $main
    (import "" "new" (func $new (param i32) (result i32)))
    (import "" "drop" (func $drop (param i32)))
    (func $start (call $drop (call $new (i32.const 7))))
    (start $start))
  (core instance (instantiate $main
    (with "" (instance (export "new" (func $new)) (export "drop" (func $drop)))))))
