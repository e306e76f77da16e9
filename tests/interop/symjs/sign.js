// Signs what it is given: JSON lines {"params": {...}, "key": "<hex>"} to lines of raw hex.
'use strict';

const readline = require('readline');
const { signer } = new (require('symjs'))();

readline.createInterface({ input: process.stdin }).on('line', (line) => {
    const { params, key } = JSON.parse(line);
    process.stdout.write(signer.sign(params, key) + '\n');
});
