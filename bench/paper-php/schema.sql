-- The paper's tables (its 4.7), as far as the two measured requests touch them.
CREATE DATABASE IF NOT EXISTS pay CHARACTER SET utf8mb4;
USE pay;
CREATE TABLE IF NOT EXISTS nr_user (
  user_no INT AUTO_INCREMENT PRIMARY KEY, user_id VARCHAR(40) NOT NULL UNIQUE, user_nm VARCHAR(60), hp VARCHAR(20),
  passwd CHAR(64), sess CHAR(32), sym_id CHAR(22), reg_dt DATETIME DEFAULT CURRENT_TIMESTAMP, KEY (sess)) ENGINE=InnoDB;
CREATE TABLE IF NOT EXISTS est_wallet (
  wallet_no INT AUTO_INCREMENT PRIMARY KEY, user_id VARCHAR(40) NOT NULL, sym_id CHAR(22) NOT NULL, key_hash CHAR(42),
  keystore_file VARCHAR(120), reg_dt DATETIME DEFAULT CURRENT_TIMESTAMP, UNIQUE KEY (user_id), KEY (sym_id)) ENGINE=InnoDB;
CREATE TABLE IF NOT EXISTS est_wallet_backup (
  sym_id CHAR(22) PRIMARY KEY, keystore TEXT NOT NULL, reg_dt DATETIME DEFAULT CURRENT_TIMESTAMP) ENGINE=InnoDB;
CREATE USER IF NOT EXISTS 'pay'@'localhost' IDENTIFIED BY 'pay-bench';
GRANT ALL ON pay.* TO 'pay'@'localhost';
CREATE USER IF NOT EXISTS 'pay'@'127.0.0.1' IDENTIFIED BY 'pay-bench';
GRANT ALL ON pay.* TO 'pay'@'127.0.0.1';
