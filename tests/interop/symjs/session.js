// What a wallet written with symjs does against a node, from connecting to reading the receipts.
// Argument: JSON {url, payer: {symid, key}, payee}. Prints everything it was told, as JSON.
'use strict';

const SymJs = require('symjs');

const { url, payer, payee } = JSON.parse(process.argv[2]);
const symjs = new SymJs();
const { call } = symjs.network;
const GAS_PRICE = '0x174876e800';
const told = {};

const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

async function receiptOf(hash) {
    for (let attempt = 0; attempt < 100; attempt += 1) {
        const receipt = await call.getTransactionReceipt(hash);
        if (receipt !== null) return receipt;
        await pause(100);
    }
    throw new Error('no receipt of ' + hash);
}

async function send(fields) {
    const params = Object.assign({
        from: payer.symid,
        nonce: Number(await call.getTransactionCount(payer.symid)),
        gasPrice: GAS_PRICE,
        gasLimit: '0x7b3d80',
        workNodes: [told.symbase],
        chainId: Number(told.netVersion),
    }, fields);
    const hash = await call.sendTransaction(params, payer.key);
    return { hash, receipt: await receiptOf(hash) };
}

async function expectError(promise) {
    try {
        return { result: await promise };
    } catch (error) {
        return { code: error.code, message: error.message };
    }
}

async function main() {
    told.connected = await symjs.network.connect(url);
    told.netVersion = await call.netVersion();
    told.listening = await call.netListening();
    told.peers = await call.netPeerCount();
    told.protocol = await call.protocolVersion();
    told.syncing = await call.syncing();
    told.accounts = await call.accounts();
    told.symbase = await call.symbase();
    told.sha3 = await call.sha3('0x68656c6c6f');
    told.height = await call.blockNumber();
    told.genesis = await call.getBlockByNumber('0x0', true);
    told.latest = await call.getBlockByNumber();
    told.payerBefore = await call.getBalance(payer.symid);
    told.payeeBefore = await call.getBalance(payee);

    told.remit = await send({ to: payee, value: '0x4563918244f40000', gasLimit: 49000 });
    told.payerAfter = await call.getBalance(payer.symid);
    told.payeeAfter = await call.getBalance(payee);

    const input = '0x' + symjs.param.sct20.create('Won', 'WON', '0x3635c9adc5dea00000', payer.symid).raw();
    told.create = await send({ type: 1, input, gasLimit: '0x7c8300' });
    const contract = told.create.receipt.contractAddress;
    told.contract = await call.sct.getContract(contract);

    const transfer = '0x' + symjs.param.sct20.transfer(payee, '0x2b5e3af16b1880000').raw();
    told.transfer = await send({ type: 1, to: contract, input: transfer, gasLimit: 200000 });
    told.payerTokens = await call.sct.getContractAccount(contract, payer.symid);
    told.payeeTokens = await call.sct.getContractAccount(contract, payee);

    const approve = '0x' + symjs.param.sct20.approve(payee, '0xde0b6b3a7640000').raw();
    told.approve = await send({ type: 1, to: contract, input: approve, gasLimit: 200000 });
    told.allowance = await call.sct.getAllowance(contract, payer.symid, payee);

    const tooMuch = '0x' + symjs.param.sct20.transfer(payee, '0x3635c9adc5dea00001').raw();
    told.overdraft = await send({ type: 1, to: contract, input: tooMuch, gasLimit: 200000 });

    told.transaction = await call.getTransactionByHash(told.transfer.hash);
    told.block = await call.getBlockByHash(told.transfer.receipt.blockHash, true);
    told.count = await call.getBlockTransactionCountByHash(told.transfer.receipt.blockHash);
    told.byIndex = await call.getTransactionByBlockHashAndIndex(told.transfer.receipt.blockHash, 0);
    told.deposit = await call.getDeposit(payer.symid);
    told.unknownReceipt = await call.getTransactionReceipt('0x' + '00'.repeat(32));
    // symjs binds these groups before it has a transport, so they are called by name.
    told.citizen = await symjs.network.rpc({ method: 'citizen_getCitizenBySymID', params: [payee, 'latest'] });
    told.warrant = await symjs.network.rpc({ method: 'warrant_getBlockByNumber', params: ['latest', false] });
    told.staleNonce = await expectError(call.sendTransaction({
        from: payer.symid, nonce: 0, gasPrice: GAS_PRICE, gasLimit: 49000, to: payee, value: '0x1',
        workNodes: [told.symbase], chainId: Number(told.netVersion),
    }, payer.key));
    told.noSuchMethod = await expectError(symjs.network.rpc({ method: 'personal_newAccount', params: [] }));
}

main().then(
    () => process.stdout.write(JSON.stringify(told) + '\n'),
    (error) => { process.stderr.write(String(error.stack || JSON.stringify(error)) + '\n'); process.exit(1); },
);
