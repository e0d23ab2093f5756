;; A few hundred bytes that ask for 125 memories.
(component
  (component $a
    (component $b
      (core module $m (memory 1))
      (core instance (instantiate $m)) (core instance (instantiate $m)) (core instance (instantiate $m)) (core instance (instantiate $m)) (core instance (instantiate $m)))
    (instance (instantiate $b)) (instance (instantiate $b)) (instance (instantiate $b)) (instance (instantiate $b)) (instance (instantiate $b)))
  (instance (instantiate $a)) (instance (instantiate $a)) (instance (instantiate $a)) (instance (instantiate $a)) (instance (instantiate $a)))
