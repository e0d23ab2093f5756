;; A thing that is lent and given away in the same call.
(component
  (component $owner
    (type $own (resource (rep i32)))
    (export $thing "thing" (type $own))
    (core func $new (canon resource.new $thing))
    (func (export "new") (param "rep" u32) (result (own $thing)) (canon lift (core func $new))))
  (instance $owner (instantiate $owner))
  (alias export $owner "thing" (type $thing))
  (alias export $owner "new" (func $new))
  (component $keeper
    (import "thing" (type $thing (sub resource)))
    (core module $m
      (func (export "keep") (param i32 i32)))
    (core instance $m (instantiate $m))
    (func (export "keep") (param "it" (borrow $thing)) (param "whole" (own $thing))
      (canon lift (core func $m "keep"))))
  (instance $keeper (instantiate $keeper (with "thing" (type $thing))))
  (component $driver
    (import "thing" (type $thing (sub resource)))
    (import "new" (func $new (param "rep" u32) (result (own $thing))))
    (import "keep" (func $keep (param "it" (borrow $thing)) (param "whole" (own $thing))))
    (core module $memory (memory (export "memory") 2))
    (core instance $memory (instantiate $memory))
    (core func $new (canon lower (func $new)))
    (core func $keep (canon lower (func $keep)))
    (core module $main
      (import "" "memory" (memory 2))
      (import "" "new" (func $new (param i32) (result i32)))
      (import "" "keep" (func $keep (param i32 i32)))
      (func $start (local $handle i32)
        (local.set $handle (call $new (i32.const 7)))
        (call $keep (local.get $handle) (local.get $handle)))
      (start $start))
    (core instance (instantiate $main (with "" (instance
      (export "memory" (memory $memory "memory"))
      (export "new" (func $new))
      (export "keep" (func $keep)))))))
  (instance (instantiate $driver
    (with "thing" (type $thing)) (with "new" (func $new)) (with "keep" (func $keeper "keep")))))
