<?php
// The two requests that the paper measures, as small as they can be and still do what it says:
// actCreateWallet (its section 4.3) and actGetBalance (4.6), behind its look at the country of the
// address (3.5) if that is asked for.
function fail($m, $code = 400) { http_response_code($code); echo json_encode(["error" => $m]); exit; }

// The paper's query. No index of SQLite helps it, so it walks the table of ranges each time.
function protect($file) {
    $ip = $_SERVER['REMOTE_ADDR'];
    $db = new SQLite3($file, SQLITE3_OPEN_READONLY);
    $r = $db->query("SELECT * FROM global_ip WHERE startipL <= " . ip2long($ip) . " AND endipL >= " . ip2long($ip));
    $row = $r->fetchArray(SQLITE3_ASSOC);
    if (!$row || $row['country'] !== 'KR') fail("country", 403);
    $r = $db->query("SELECT * FROM nr_ddos_ip WHERE ip = '" . $db->escapeString($ip) . "'");
    if ($r->fetchArray(SQLITE3_ASSOC)) fail("blocked", 403);
    $db->close();
}

function db() {
    $m = mysqli_init();
    if (!@$m->real_connect('localhost', 'pay', 'pay-bench', 'pay', 0, getenv('PAY_MYSQL_SOCK'))) fail("db", 503);
    return $m;
}

function balance($in) {
    $m = db();
    $st = $m->prepare("SELECT user_id FROM nr_user WHERE user_id = ? AND sess = ?");
    $st->bind_param('ss', $in['user_id'], $in['sess']); $st->execute();
    if (!$st->get_result()->fetch_assoc()) fail("auth", 401);
    $st = $m->prepare("SELECT sym_id FROM est_wallet WHERE user_id = ?");
    $st->bind_param('s', $in['user_id']); $st->execute();
    $w = $st->get_result()->fetch_assoc();
    if (!$w) fail("wallet", 404);
    $c = curl_init(getenv('PAY_NODE_URL'));
    curl_setopt_array($c, [CURLOPT_POST => true, CURLOPT_RETURNTRANSFER => true, CURLOPT_TIMEOUT => 10,
        CURLOPT_HTTPHEADER => ['Content-Type: application/json'],
        CURLOPT_POSTFIELDS => json_encode(["jsonrpc" => "2.0", "method" => "sct_getContractAccount",
            "params" => ["0x0ced1024eed02b234df2", $w['sym_id'], "latest"], "id" => 1])]);
    $a = json_decode(curl_exec($c), true);
    if (!isset($a['result']['balance'])) fail("node", 502);
    return ["est_id" => $w['sym_id'], "balance" => $a['result']['balance']];
}

function keypair_openssl() {
    $d = openssl_pkey_get_details(openssl_pkey_new(["private_key_type" => OPENSSL_KEYTYPE_EC, "curve_name" => "secp256k1"]))['ec'];
    return [str_pad($d['d'], 32, "\0", STR_PAD_LEFT), str_pad($d['x'], 32, "\0", STR_PAD_LEFT) . str_pad($d['y'], 32, "\0", STR_PAD_LEFT)];
}
// scrypt N=4096 r=8 p=1 from OpenSSL, through PHP's FFI (ffi.enable=true)
function scrypt_key($passphrase, $salt) {
    static $c = null;
    $c ??= FFI::cdef('int EVP_PBE_scrypt(const char *pass, size_t passlen, const unsigned char *salt, size_t saltlen,
        uint64_t N, uint64_t r, uint64_t p, uint64_t maxmem, unsigned char *key, size_t keylen);', 'libcrypto.so.3');
    $key = FFI::new('unsigned char[32]'); $s = FFI::new('unsigned char[32]'); FFI::memcpy($s, $salt, 32);
    if ($c->EVP_PBE_scrypt($passphrase, strlen($passphrase), $s, 32, 4096, 8, 1, 64 << 20, $key, 32) !== 1) fail("scrypt", 500);
    return FFI::string($key, 32);
}

function wallet($in) {
    [$priv, $pub] = keypair_openssl();
    $hash = '0x' . substr(hash('sha3-256', $pub), -40);
    $salt = random_bytes(32); $iv = random_bytes(16);
    $dk = scrypt_key($in['passphrase'], $salt);
    $ct = openssl_encrypt($priv, 'aes-128-ctr', substr($dk, 0, 16), OPENSSL_RAW_DATA, $iv);
    $mac = hash('sha3-256', substr($dk, 16) . $ct);
    $u = bin2hex(random_bytes(16));
    $id = sprintf('%s-%s-%s-%s-%s', substr($u, 0, 8), substr($u, 8, 4), substr($u, 12, 4), substr($u, 16, 4), substr($u, 20));
    $ks = json_encode(["version" => 4, "id" => $id, "address" => $hash, "crypto" => [
        "ciphertext" => bin2hex($ct), "cipherparams" => ["iv" => bin2hex($iv)], "cipher" => "aes-128-ctr", "kdf" => "scrypt",
        "kdfparams" => ["dklen" => 32, "salt" => bin2hex($salt), "n" => 4096, "r" => 8, "p" => 1],
        "mac" => bin2hex(hex2bin($mac)), "machash" => "sha3256"]]);
    $sym = '0x0003' . bin2hex(random_bytes(6)) . '0002';
    $file = getenv('PAY_KEYSTORE') . "/$sym.json";
    if (file_put_contents($file, $ks) === false) fail("file", 500);
    $m = db();
    $st = $m->prepare("INSERT INTO nr_user(user_id,user_nm,hp,passwd,sess,sym_id) VALUES (?,?,?,?,?,?)");
    $pw = hash('sha256', $in['passphrase']); $sess = bin2hex(random_bytes(16));
    $st->bind_param('ssssss', $in['user_id'], $in['user_nm'], $in['hp'], $pw, $sess, $sym);
    if (!$st->execute()) fail("user", 409);
    $st = $m->prepare("INSERT INTO est_wallet(user_id,sym_id,key_hash,keystore_file) VALUES (?,?,?,?)");
    $st->bind_param('ssss', $in['user_id'], $sym, $hash, $file); $st->execute();
    $st = $m->prepare("INSERT INTO est_wallet_backup(sym_id,keystore) VALUES (?,?)");
    $st->bind_param('ss', $sym, $ks); $st->execute();
    return ["est_id" => $sym, "address" => $hash];
}

function run($ranges) {
    mysqli_report(MYSQLI_REPORT_OFF);
    header('Content-Type: application/json');
    if ($ranges) protect($ranges);
    $in = json_decode(file_get_contents('php://input'), true);
    switch ($in['act'] ?? '') {
        case 'actGetBalance': $o = balance($in); break;
        case 'actCreateWallet': $o = wallet($in); break;
        default: fail("act");
    }
    echo json_encode($o);
}
