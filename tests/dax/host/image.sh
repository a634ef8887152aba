# SPDX-License-Identifier: BSD-3-Clause
#
# The root file system of the virtual machine, an uncompressed cpio archive in two parts; to be
# sourced. The tools' part is kept in $cache, this library and the tests' part is made anew.

# Programs of this machine that the guest uses, with the packages they come from.
tools='ndctl mkfs.ext4 mkfs.xfs pmempool'

# Copies a program and the libraries it needs into a folder, under their own names.
copy_program()
{
	local program=$1 root=$2 file
	for file in $program $(env -u LD_LIBRARY_PATH ldd "$program" | grep -o '/[^ ]*'); do
		[ -e "$root$file" ] || install -D "$(realpath "$file")" "$root$file"
	done
}

# Packs the content of a folder.
pack()
{
	(cd "$1" && find . | LC_ALL=C sort | "$cache/busybox" cpio -o -H newc 2>/dev/null) >"$2"
}

# The key by which a change of some programs is noticed.
key_of()
{
	local tool path
	for tool in "$@"; do
		path=$(command -v "$tool") && stat -Lc '%n %s %Y' "$path" || echo "$tool"
	done
}

# make_base FLAVOUR: busybox, the modules and the tools, in $cache/FLAVOUR/base.cpio.
make_base()
{
	local flavour=$1 root=$work/base tool path base=$cache/$1/base.cpio
	[ -f "$base" ] && [ "$(key_of $tools)" = "$(cat "$base.key" 2>/dev/null)" ] && return
	rm -rf "$root"
	mkdir -p "$root"/bin "$root"/dev "$root"/proc "$root"/sys "$root"/tmp "$root"/mnt
	cp "$cache/busybox" "$root/bin/busybox"
	cp -r "$cache/$flavour/modules" "$root/modules"
	for tool in $tools; do
		path=$(command -v "$tool") || continue
		copy_program "$path" "$root"
		[ -e "$root/bin/$tool" ] || ln -s "$path" "$root/bin/$tool"
	done
	pack "$root" "$base.new"
	mv "$base.new" "$base"
	key_of $tools >"$base.key"
	rm -rf "$root"
}

# make_fio: a disk in $cache/fio.disk with fio and the many libraries it needs, too large for the
# root file system. Fails where there is no fio.
make_fio()
{
	local disk=$cache/fio.disk root=$work/fio name file
	command -v fio >/dev/null || return 1
	[ -f "$disk" ] && [ "$(key_of fio)" = "$(cat "$disk.key" 2>/dev/null)" ] && return
	mkdir -p "$root"
	cp "$(command -v fio)" "$root/fio"
	env -u LD_LIBRARY_PATH ldd "$(command -v fio)" | awk '$3 ~ "^/" { print $1, $3 }' |
		while read -r name file; do cp -L "$file" "$root/$name"; done
	rm -f "$disk"
	truncate -s "$(($(du -sm "$root" | cut -f 1) + 32))M" "$disk"
	mkfs.ext4 -q -F -O ^has_journal -d "$root" "$disk" >/dev/null 2>&1 || return 1
	key_of fio >"$disk.key"
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
