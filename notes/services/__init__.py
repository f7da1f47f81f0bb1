"""Every write, one module per topic. A write locks with ``access`` first and notifies with ``events`` last."""
