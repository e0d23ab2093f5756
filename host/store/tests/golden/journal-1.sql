PRAGMA application_id = 1213158467;
PRAGMA user_version = 1;
PRAGMA foreign_keys=OFF;
BEGIN TRANSACTION;
CREATE TABLE owner (
    only INTEGER PRIMARY KEY CHECK (only = 1),
    epoch INTEGER NOT NULL,
    batch INTEGER NOT NULL,
    chain BLOB NOT NULL,
    runs INTEGER NOT NULL,
    records INTEGER NOT NULL,
    seal BLOB NOT NULL
) STRICT;
INSERT INTO owner VALUES(1,1,6,X'cde4600b8cb5a3e4caa6c72a2eace9166c8718b245a7dc3342b2475d45f4352f',2,6,X'725af95bb70cd5fd4e571f2a3f3e57beb22fccacd10244d9b8e2fa9585821b67');
CREATE TABLE runs (
    num INTEGER PRIMARY KEY,
    run TEXT NOT NULL UNIQUE,
    tenant TEXT NOT NULL,
    workflow TEXT NOT NULL,
    task TEXT NOT NULL,
    created INTEGER NOT NULL,
    parent TEXT,
    parent_seq INTEGER,
    status TEXT NOT NULL,
    ended INTEGER NOT NULL,
    updated INTEGER NOT NULL,
    records INTEGER NOT NULL,
    bytes INTEGER NOT NULL,
    last BLOB NOT NULL,
    seal BLOB NOT NULL
) STRICT;
INSERT INTO runs VALUES(1,'0190-first','acme','invoices','task 7',2000,NULL,NULL,'success',1,4000,3,4840,X'd6286166e5c7a74ece9de37763838551c44fe539eb09606bda5f361d8030f7e3',X'a2b9585ec19357f86dcbfd4fcd87626ede3cac907bc95d44843093ec624629b6');
INSERT INTO runs VALUES(2,'0190-second','acme','invoices','task 7',2000,'0190-first',2,'in_doubt',0,4000,3,4840,X'84c9544aa5cd55273cb6ed9dc9aa4836fa6dec7c53adc493784d096a7e9ab49b',X'ed3dcbee2fe9a799da9bc3a8089367a54ed5f036c4f556bdff974b1e30a223da');
CREATE TABLE records (
    id INTEGER PRIMARY KEY,
    run INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    kind TEXT NOT NULL,
    at INTEGER NOT NULL,
    body TEXT NOT NULL,
    hash BLOB NOT NULL
) STRICT;
INSERT INTO records VALUES(1,1,1,'thing',3000,'{"n":0}',X'65facc648a0ea67459142b34f68abdeba58917fa6e8519c4c3e19e5d2f98055d');
INSERT INTO records VALUES(2,1,2,'thing',3001,'{"n":1}',X'bd545398c0884788d9b0d3ff7b292b4b23e566ca152ca63b924f391c2b2f82e9');
INSERT INTO records VALUES(3,1,3,'large',4000,'{"$$blob":"mine","text":{"$blob":"4200bd7948b36d3e6b0aa47b7929876d7b69494ff8a6da48451cca28da2791a2"}}',X'd6286166e5c7a74ece9de37763838551c44fe539eb09606bda5f361d8030f7e3');
INSERT INTO records VALUES(4,2,1,'thing',3000,'{"n":0}',X'55de0bbec91dec61b0d3a2d3396f90b693a510945306808b18b121db7d942cce');
INSERT INTO records VALUES(5,2,2,'thing',3001,'{"n":1}',X'cca0df3f87aa3da2dfced234ac61ac8921bb274aa889df019d39f148ebd8b208');
INSERT INTO records VALUES(6,2,3,'large',4000,'{"$$blob":"mine","text":{"$blob":"4200bd7948b36d3e6b0aa47b7929876d7b69494ff8a6da48451cca28da2791a2"}}',X'84c9544aa5cd55273cb6ed9dc9aa4836fa6dec7c53adc493784d096a7e9ab49b');
CREATE TABLE blobs (
    digest BLOB PRIMARY KEY,
    text TEXT NOT NULL
) STRICT;
INSERT INTO blobs VALUES(X'4200bd7948b36d3e6b0aa47b7929876d7b69494ff8a6da48451cca28da2791a2','"große Rechnung große Rechnung große Rechnung große Rechnung große Rechnung große Rechnung große Rechnung große Rechnung große Rechnung große Rechnung große Rechnung große Rechnung große Rechnung große Rechnung große Rechnung große Rechnung große Rechnung große Rechnung große Rechnung große Rechnung große Rechnung große Rechnung große Rechnung große Rechnung große Rechnung große Rechnung große Rechnung große Rechnung große Rechnung große Rechnung große Rechnung große Rechnung große Rechnung große Rechnung große Rechnung große Rechnung große Rechnung große Rechnung große Rechnung große Rechnung große Rechnung große Rechnung große Rechnung große Rechnung große Rechnung große Rechnung große Rechnung große Rechnung große Rechnung große Rechnung große Rechnung große Rechnung große Rechnung große Rechnung große Rechnung große Rechnung große Rechnung große Rechnung große Rechnung große Rechnung große Rechnung große Rechnung große Rechnung große Rechnung große Rechnung große Rechnung große Rechnung große Rechnung große Rechnung große Rechnung große Rechnung große Rechnung große Rechnung große Rechnung große Rechnung große Rechnung große Rechnung große Rechnung große Rechnung große Rechnung große Rechnung große Rechnung große Rechnung große Rechnung große Rechnung große Rechnung große Rechnung große Rechnung große Rechnung große Rechnung große Rechnung große Rechnung große Rechnung große Rechnung große Rechnung große Rechnung große Rechnung große Rechnung große Rechnung große Rechnung große Rechnung große Rechnung große Rechnung große Rechnung große Rechnung große Rechnung große Rechnung große Rechnung große Rechnung große Rechnung große Rechnung große Rechnung große Rechnung große Rechnung große Rechnung große Rechnung große Rechnung große Rechnung große Rechnung große Rechnung große Rechnung große Rechnung große Rechnung große Rechnung große Rechnung große Rechnung große Rechnung große Rechnung große Rechnung große Rechnung große Rechnung große Rechnung große Rechnung große Rechnung große Rechnung große Rechnung große Rechnung große Rechnung große Rechnung große Rechnung große Rechnung große Rechnung große Rechnung große Rechnung große Rechnung große Rechnung große Rechnung große Rechnung große Rechnung große Rechnung große Rechnung große Rechnung große Rechnung große Rechnung große Rechnung große Rechnung große Rechnung große Rechnung große Rechnung große Rechnung große Rechnung große Rechnung große Rechnung große Rechnung große Rechnung große Rechnung große Rechnung große Rechnung große Rechnung große Rechnung große Rechnung große Rechnung große Rechnung große Rechnung große Rechnung große Rechnung große Rechnung große Rechnung große Rechnung große Rechnung große Rechnung große Rechnung große Rechnung große Rechnung große Rechnung große Rechnung große Rechnung große Rechnung große Rechnung große Rechnung große Rechnung große Rechnung große Rechnung große Rechnung große Rechnung große Rechnung große Rechnung große Rechnung große Rechnung große Rechnung große Rechnung große Rechnung große Rechnung große Rechnung große Rechnung große Rechnung große Rechnung große Rechnung große Rechnung große Rechnung große Rechnung große Rechnung große Rechnung große Rechnung große Rechnung große Rechnung große Rechnung große Rechnung große Rechnung große Rechnung große Rechnung große Rechnung große Rechnung große Rechnung große Rechnung große Rechnung große Rechnung große Rechnung große Rechnung große Rechnung große Rechnung große Rechnung große Rechnung große Rechnung große Rechnung große Rechnung große Rechnung große Rechnung große Rechnung große Rechnung große Rechnung große Rechnung große Rechnung große Rechnung große Rechnung große Rechnung große Rechnung große Rechnung große Rechnung große Rechnung große Rechnung große Rechnung große Rechnung große Rechnung große Rechnung große Rechnung große Rechnung große Rechnung große Rechnung große Rechnung große Rechnung große Rechnung große Rechnung große Rechnung große Rechnung große Rechnung große Rechnung große Rechnung große Rechnung große Rechnung große Rechnung große Rechnung große Rechnung große Rechnung große Rechnung große Rechnung große Rechnung große Rechnung große Rechnung große Rechnung große Rechnung große Rechnung große Rechnung große Rechnung große Rechnung große Rechnung große Rechnung große Rechnung große Rechnung große Rechnung große Rechnung große Rechnung große Rechnung große Rechnung große Rechnung große Rechnung große Rechnung große Rechnung große Rechnung große Rechnung "');
CREATE TABLE uses (
    run INTEGER NOT NULL,
    digest BLOB NOT NULL,
    PRIMARY KEY (run, digest)
) STRICT, WITHOUT ROWID;
INSERT INTO uses VALUES(1,X'4200bd7948b36d3e6b0aa47b7929876d7b69494ff8a6da48451cca28da2791a2');
INSERT INTO uses VALUES(2,X'4200bd7948b36d3e6b0aa47b7929876d7b69494ff8a6da48451cca28da2791a2');
CREATE TABLE cache (
    key BLOB PRIMARY KEY,
    value TEXT NOT NULL,
    expires INTEGER NOT NULL,
    seal BLOB NOT NULL
) STRICT;
INSERT INTO cache VALUES(X'2c70e12b7a0646f92279f427c7b38e7334d8e5389cff167a1dc30e73f826b683','kept',9,X'c8301f2065f1561d178cafd81d8ce3243a5e97eb8f657f596e0b1c44395682b7');
CREATE TABLE requests (
    id INTEGER PRIMARY KEY,
    run TEXT NOT NULL,
    what TEXT NOT NULL,
    UNIQUE (run, what)
) STRICT;
CREATE INDEX runs_open ON runs (num) WHERE ended = 0;
CREATE INDEX runs_ended ON runs (updated, num) WHERE ended = 1;
CREATE INDEX runs_forked ON runs (parent) WHERE parent IS NOT NULL;
CREATE UNIQUE INDEX records_of_run ON records (run, seq);
CREATE INDEX uses_of_blob ON uses (digest);
CREATE INDEX cache_expiry ON cache (expires);
COMMIT;
