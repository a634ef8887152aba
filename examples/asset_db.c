/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * asset_db DB create COUNT	makes a database for COUNT assets
 * asset_db DB load FILE	adds the assets whose names are the lines of FILE
 * asset_db DB list		lists them
 * asset_db DB out NAME WHO	checks one out: WHO has it now
 * asset_db DB in NAME		checks it in again
 *
 * A database that survives any crash without a log and without a repair, because each asset is
 * one block, and a block is written atomically: an asset is checked out, or it is not. If the
 * loading of a list was interrupted, load it again; names that are there already are skipped.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <libpmemblk.h>

/* One block. The first unused block reads as zeros and ends the list. */
struct asset {
	char name[256];
	char holder[256]; /* empty: the asset is checked in */
};

static _Noreturn void die(const char *what, const char *message)
{
	fprintf(stderr, "%s: %s\n", what, message);
	exit(1);
}

static void put(PMEMblkpool *db, const struct asset *asset, long long number)
{
	if (pmemblk_write(db, asset, number) != 0)
		die(asset->name, pmemblk_errormsg());
}

/* Reads asset number n. Returns 0 if the list ends before it. */
static int get(PMEMblkpool *db, struct asset *asset, long long number)
{
	if (number >= (long long)pmemblk_nblock(db))
		return 0;
	if (pmemblk_read(db, asset, number) != 0)
		die("reading the database", pmemblk_errormsg());
	return asset->name[0] != '\0';
}

/* Returns the number of the asset with this name, or else of the first unused block. */
static long long find(PMEMblkpool *db, const char *name, struct asset *asset, int *found)
{
	long long n;

	*found = 0;
	for (n = 0; get(db, asset, n); n++) {
		if (strcmp(asset->name, name) == 0) {
			*found = 1;
			break;
		}
	}
	return n;
}

static void create(const char *path, const char *count)
{
	/*
	 * An asset takes a block and a map entry of 4 bytes; the rest is for the pool's metadata.
	 */
	size_t size =
	    PMEMBLK_MIN_POOL + strtoul(count, NULL, 10) * (sizeof(struct asset) + 8);
	PMEMblkpool *db = pmemblk_create(path, sizeof(struct asset), size, 0666);

	if (!db)
		die("create", pmemblk_errormsg());
	pmemblk_close(db);
}

static void load(PMEMblkpool *db, const char *path)
{
	FILE *list = fopen(path, "r");
	struct asset asset;
	char line[256];
	int nnew = 0, found;

	if (!list) {
		perror(path);
		exit(1);
	}
	while (fgets(line, sizeof(line), list)) {
		long long n;

		if (!strchr(line, '\n') && !feof(list))
			die(line, "the name is too long");
		line[strcspn(line, "\n")] = '\0';
		if (line[0] == '\0')
			continue;
		n = find(db, line, &asset, &found);
		if (found)
			continue;
		if (n == (long long)pmemblk_nblock(db))
			die(path, "the database is full");
		memset(&asset, 0, sizeof(asset));
		strcpy(asset.name, line);
		put(db, &asset, n);
		nnew++;
	}
	fclose(list);
	printf("%d new\n", nnew);
}

static void list(PMEMblkpool *db)
{
	struct asset asset;

	for (long long n = 0; get(db, &asset, n); n++)
		printf("%-20s %s\n", asset.name, asset.holder[0] ? asset.holder : "-");
}

/* With who NULL it checks the asset in. */
static void check(PMEMblkpool *db, const char *name, const char *who)
{
	struct asset asset;
	int found;
	long long n = find(db, name, &asset, &found);

	if (!found)
		die(name, "there is no such asset");
	if (who && asset.holder[0])
		die(name, "it is checked out already");
	if (!who && !asset.holder[0])
		die(name, "it is not checked out");
	memset(asset.holder, 0, sizeof(asset.holder));
	if (who)
		strncpy(asset.holder, who, sizeof(asset.holder) - 1);
	put(db, &asset, n);
}

int main(int argc, char **argv)
{
	const char *command = argc > 2 ? argv[2] : "";
	PMEMblkpool *db;

	if (argc == 4 && !strcmp(command, "create")) {
		create(argv[1], argv[3]);
		return 0;
	}
	if (!(argc == 4 && !strcmp(command, "load")) &&
	    !(argc == 3 && !strcmp(command, "list")) &&
	    !(argc == 5 && !strcmp(command, "out")) &&
	    !(argc == 4 && !strcmp(command, "in"))) {
		fprintf(stderr,
			"usage: %s DB create COUNT | load FILE | list | out NAME WHO | "
			"in NAME\n",
			argv[0]);
		return 2;
	}
	db = pmemblk_open(argv[1], sizeof(struct asset));
	if (!db)
		die("open", pmemblk_errormsg());
	if (!strcmp(command, "load"))
		load(db, argv[3]);
	else if (!strcmp(command, "list"))
		list(db);
	else
		check(db, argv[3], argc == 5 ? argv[4] : NULL);
	pmemblk_close(db);
	return 0;
}
