/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * An ELF note that names the library and its version, for programs that want to know
 * which file the loader gave them. It exports no symbol. `readelf -n` shows it, too.
 */
#ifndef VERSION_NOTE_H
#define VERSION_NOTE_H 1

#include <stdint.h>

#define VERSION_NOTE_TYPE 1u

/* Use it once in a library. The owner of the note is the library's name. */
#define VERSION_NOTE(library)                                                            \
	__attribute__((used, aligned(4),                                                 \
		       section(".note.version"))) static const struct {                  \
		uint32_t name_size;                                                      \
		uint32_t text_size;                                                      \
		uint32_t type;                                                           \
		char name[(sizeof(library) + 3) / 4 * 4];                                \
		char text[(sizeof(SRCVERSION) + 3) / 4 * 4];                             \
	} version_note = {sizeof(library), sizeof(SRCVERSION), VERSION_NOTE_TYPE,        \
			  library, SRCVERSION}

#endif
