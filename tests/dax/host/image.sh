# SPDX-License-Identifier: BSD-3-Clause
#
# The root file system of the virtual machine, an uncompressed cpio archive in two parts; to be
# sourced. The tools' part is kept in $cache, this library and the tests' part is made anew.

# Programs of this machine that the guest uses, with the packages they come from.
tools='ndctl mkfs.ext4 mkfs.xfs pmempool'

# The folder of the distribution's libraries, by the package of the C library. This library, once
# installed in /usr/local, comes before it, but the guest is to have what the packages bring.
triplet=$(dpkg-query -L libc6 | sed -n 's!^\(/usr\)*/lib/\([^/]*\)/libc\.so\.6$!\2!p' | head -n 1)
distribution=/lib/$triplet:/usr/lib/$triplet

# Takes programs from the packages, too, and not from /usr/local.
program_of()
{
	PATH=/usr/sbin:/usr/bin:/sbin:/bin command -v "$1"
}

# needs PROGRAM: the libraries that it needs, a line "NAME FILE" for each.
needs()
{
	LD_LIBRARY_PATH=$distribution ldd "$1" |
		awk '$3 ~ "^/" { print $1, $3 } $1 ~ "^/" { print $1, $1 }'
}

# Copies a program and the libraries it needs into a folder, under their own names.
copy_program()
{
	local program=$1 root=$2 name file
	{ echo "$program $program"; needs "$program"; } | while read -r name file; do
		[ -e "$root$file" ] || install -D "$(realpath "$file")" "$root$file"
	done
}

# Packs the content of a folder.
pack()
{
	(cd "$1" && find . | LC_ALL=C sort | "$cache/busybox" cpio -o -H newc 2>/dev/null) >"$2"
}

# Prints the key of an image, which depends on every byte in it. Arguments: programs, with their libraries,
# and files.
key_of()
{
	local arg
	for arg in "$@"; do
		case $arg in
		/*) echo "$arg $arg" ;;
		*)
			program_of "$arg" >/dev/null || { echo "$arg"; continue; }
			echo "$arg $(program_of "$arg")"
			needs "$(program_of "$arg")"
			;;
		esac
	done | sort -u | while read -r name file; do
		echo "$name $file $([ -z "$file" ] || sha256sum <"$file")"
	done
}

# make_base FLAVOUR: busybox, the modules and the tools, in $cache/FLAVOUR/base.cpio.
make_base()
{
	local flavour=$1 root=$work/base tool path base=$cache/$1/base.cpio key
	key=$(key_of $tools "$cache/busybox" "$cache/$flavour"/modules/* "$cache/$flavour"/more/*)
	[ -f "$base" ] && [ "$key" = "$(cat "$base.key" 2>/dev/null)" ] && return
	rm -rf "$root"
	mkdir -p "$root"/bin "$root"/dev "$root"/proc "$root"/sys "$root"/tmp "$root"/mnt
	cp "$cache/busybox" "$root/bin/busybox"
	cp -r "$cache/$flavour/modules" "$cache/$flavour/more" "$root"
	for tool in $tools; do
		path=$(program_of "$tool") || continue
		copy_program "$path" "$root"
		[ -e "$root/bin/$tool" ] || ln -s "$path" "$root/bin/$tool"
	done
	pack "$root" "$base.new"
	mv "$base.new" "$base"
	echo "$key" >"$base.key"
	rm -rf "$root"
}

# make_fio: a disk in $cache/fio.disk with fio and the many libraries it needs, too large for the
# root file system. Fails if there is no fio.
make_fio()
{
	local disk=$cache/fio.disk root=$work/fio name file key
	program_of fio >/dev/null || return 1
	key=$(key_of fio)
	[ -f "$disk" ] && [ "$key" = "$(cat "$disk.key" 2>/dev/null)" ] && return
	mkdir -p "$root"
	cp "$(program_of fio)" "$root/fio"
	needs "$(program_of fio)" | while read -r name file; do
		[ "${name#/}" != "$name" ] || cp -L "$file" "$root/$name"
	done
	rm -f "$disk"
	truncate -s "$(($(du -sm "$root" | cut -f 1) + 32))M" "$disk"
	mkfs.ext4 -q -F -O ^has_journal -d "$root" "$disk" >/dev/null 2>&1 || return 1
	echo "$key" >"$disk.key"
	rm -rf "$root"
}

# make_image FLAVOUR FILE: both parts in one file.
make_image()
{
	local flavour=$1 image=$2 root=$work/overlay
	make_base "$flavour"
	rm -rf "$root"
	mkdir -p "$root/ours"
	cp "$SOURCE"/tests/dax/guest/* "$root/"
	cp -P "$BUILD"/lib/*.so.1* "$root/ours/"
	cp "$BUILD"/tests/dax/* "$BUILD/tests/compat/pool" "$root/ours/"
	pack "$root" "$work/overlay.cpio"
	cat "$cache/$flavour/base.cpio" "$work/overlay.cpio" >"$image"
	rm -rf "$root" "$work/overlay.cpio"
}
