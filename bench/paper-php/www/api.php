<?php require __DIR__ . '/lib.php'; run(null);                  // no protection
