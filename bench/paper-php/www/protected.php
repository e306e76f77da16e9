<?php require __DIR__ . '/lib.php'; run(getenv('PAY_RANGES'));  // country and deny list first
