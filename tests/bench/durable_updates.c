/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * For orientation: the time of a durable update of 4,000 bytes at a random one of 1,024 places,
 * with pwrite + fdatasync, with LMDB and with SQLite (WAL, synchronous=FULL). COUNT updates are one
 * transaction. For a file this is COUNT calls of pwrite and one of fdatasync. If COUNT is more than
 * 1, this is done twice, because software that survives a power loss in the middle writes the
 * updates to a log first.
 *
 *	durable_updates DIR SECONDS COUNT
 */
#include "bench.h"

#include <fcntl.h>
#include <unistd.h>

#ifdef HAVE_LMDB
#include <lmdb.h>
#endif
#ifdef HAVE_SQLITE
#include <sqlite3.h>
#endif

enum { PLACES = 1024, SIZE = 4000 };

static char value[SIZE];
static uint64_t seed = 88172645463325252u;
static char path[4096];
static unsigned count;

static unsigned next_place(void)
{
	value[0]++;
	return (unsigned)(bench_random(&seed) % PLACES);
}

static void update_file(void *arg)
{
	int fd = *(int *)arg;

	for (unsigned step = 0; step < (count > 1 ? 2 : 1); step++) {
		for (unsigned i = 0; i < count; i++)
			if (pwrite(fd, value, SIZE, (off_t)next_place() * 4096) != SIZE)
				bench_die("pwrite", "failed");
		if (fdatasync(fd))
			bench_die("fdatasync", "failed");
	}
}

#ifdef HAVE_LMDB
struct lmdb {
	MDB_env *env;
	MDB_dbi dbi;
};

static void update_lmdb(void *arg)
{
	struct lmdb *l = arg;
	MDB_txn *txn;

	if (mdb_txn_begin(l->env, NULL, 0, &txn))
		bench_die("lmdb", "no transaction");
	for (unsigned i = 0; i < count; i++) {
		unsigned place = next_place();
		MDB_val key = {sizeof(place), &place};
		MDB_val data = {SIZE, value};

		if (mdb_put(txn, l->dbi, &key, &data, 0))
			bench_die("lmdb", "update failed");
	}
	if (mdb_txn_commit(txn))
		bench_die("lmdb", "commit failed");
}
#endif

#ifdef HAVE_SQLITE
static void update_sqlite(void *arg)
{
	sqlite3_stmt *put = arg;
	sqlite3 *db = sqlite3_db_handle(put);

	if (count > 1 && sqlite3_exec(db, "BEGIN", NULL, NULL, NULL))
		bench_die("sqlite", "no transaction");
	for (unsigned i = 0; i < count; i++) {
		sqlite3_bind_int(put, 1, (int)next_place());
		sqlite3_bind_blob(put, 2, value, SIZE, SQLITE_STATIC);
		if (sqlite3_step(put) != SQLITE_DONE || sqlite3_reset(put) != SQLITE_OK)
			bench_die("sqlite", "update failed");
	}
	if (count > 1 && sqlite3_exec(db, "COMMIT", NULL, NULL, NULL))
		bench_die("sqlite", "commit failed");
}
#endif

static void run(const char *name, void (*update)(void *), void *arg, uint64_t budget)
{
	uint64_t start;
	uint64_t took;
	uint64_t n = 0;

	for (int i = 0; i < 50; i++)
		update(arg);
	start = bench_now();
	do {
		update(arg);
		n++;
		took = bench_now() - start;
	} while (took < budget);
	bench_report(name, (double)took / (double)n / count);
}

int main(int argc, char **argv)
{
	uint64_t budget;
	int fd;

	if (argc != 4 || atoi(argv[3]) < 1)
		return 2;
	budget = (uint64_t)(atof(argv[2]) * 1e9);
	count = (unsigned)atoi(argv[3]);
	snprintf(path, sizeof(path), "%s/update.file", argv[1]);
	fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0 || posix_fallocate(fd, 0, PLACES * 4096))
		bench_die(path, "cannot make it");
	run("pwrite+fdatasync", update_file, &fd, budget);
	close(fd);
	unlink(path);
#ifdef HAVE_LMDB
	{
		struct lmdb l;
		MDB_txn *txn;

		snprintf(path, sizeof(path), "%s/update.mdb", argv[1]);
		if (mdb_env_create(&l.env) || mdb_env_set_mapsize(l.env, 64 << 20) ||
		    mdb_env_open(l.env, path, MDB_NOSUBDIR, 0600) ||
		    mdb_txn_begin(l.env, NULL, 0, &txn) ||
		    mdb_dbi_open(txn, NULL, MDB_INTEGERKEY, &l.dbi) ||
		    mdb_txn_commit(txn))
			bench_die("lmdb", "cannot make it");
		run("lmdb", update_lmdb, &l, budget);
		mdb_env_close(l.env);
		unlink(path);
	}
#endif
#ifdef HAVE_SQLITE
	{
		sqlite3 *db;
		sqlite3_stmt *put;

		snprintf(path, sizeof(path), "%s/update.sqlite", argv[1]);
		if (sqlite3_open(path, &db) ||
		    sqlite3_exec(db,
				 "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;"
				 "CREATE TABLE t (k INTEGER PRIMARY KEY, v BLOB)",
				 NULL, NULL, NULL) ||
		    sqlite3_prepare_v2(db, "INSERT OR REPLACE INTO t VALUES (?, ?)", -1,
				       &put, NULL))
			bench_die("sqlite", "cannot make it");
		run("sqlite-wal-full", update_sqlite, put, budget);
		sqlite3_finalize(put);
		sqlite3_close(db);
		unlink(path);
	}
#endif
	return 0;
}
