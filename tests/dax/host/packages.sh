# SPDX-License-Identifier: BSD-3-Clause
#
# Debian's packages that the virtual machine is made of, downloaded and unpacked, never installed;
# to be sourced. What is needed of them is kept in $cache, so that later runs need no network.

# Downloads a package and unpacks it in a folder.
unpack_package()
{
	local package=$1 to=$2 deb
	rm -rf "$to" "$to.deb"
	mkdir -p "$to" "$to.deb"
	(cd "$to.deb" && timeout 300 apt-get download "$package") >"$to.log" 2>&1 || {
		cat "$to.log"
		return 1
	}
	deb=$(echo "$to.deb"/*.deb)
	dpkg-deb -x "$deb" "$to"
	rm -rf "$to.deb"
}

fetch_busybox()
{
	[ -x "$cache/busybox" ] && return
	unpack_package busybox-static "$cache/unpacked" || return 1
	cp "$cache/unpacked/bin/busybox" "$cache/busybox"
	rm -rf "$cache/unpacked"
}

# In the order in which they are loaded. A kernel that has one built in has no file of it.
modules='crc32c_generic crc32c-intel crc16 libcrc32c mbcache jbd2 ext4 xfs virtio_ring virtio
	virtio_pci_legacy_dev virtio_pci_modern_dev virtio_pci virtio_blk libnvdimm nfit nd_e820
	nd_virtio virtio_pmem nd_btt nd_pmem dax_pmem device_dax'

# Modules that a scene loads itself if it needs them.
more_modules='dm-mod dm-bufio dm-log-writes dm-flakey dm-snapshot brd'

# Copies a module of the unpacked kernel, if there is one.
copy_module()
{
	local file
	file=$(find "$cache/unpacked" -name "$1.ko*" | head -n 1)
	case $file in
	*.ko) cp "$file" "$2" ;;
	*.ko.xz) xz -dc "$file" >"$2" ;;
	esac
}

# fetch_kernel FLAVOUR META-PACKAGE: $cache/FLAVOUR gets the kernel that the meta package depends
# on, as vmlinux, and its modules, numbered by order.
fetch_kernel()
{
	local flavour=$1 meta=$2 package name n=10 file to=$cache/$1
	[ -f "$to/vmlinux" ] && [ "$modules $more_modules" = "$(cat "$to/list" 2>/dev/null)" ] && return
	package=$(apt-cache depends "$meta" 2>/dev/null |
		sed -n 's/^ *Depends: \(linux-image-[0-9].*\)/\1/p' | head -n 1)
	[ -n "$package" ] || { echo "the package $meta is not known here"; return 1; }
	echo "downloading $package"
	unpack_package "$package" "$cache/unpacked" || return 1
	rm -rf "$to"
	mkdir -p "$to/modules" "$to/more"
	for name in $modules; do
		copy_module "$name" "$to/modules/$n-$name.ko"
		n=$((n + 1))
	done
	for name in $more_modules; do
		copy_module "$name" "$to/more/$name.ko"
	done
	# If this fails, the kernel has to unpack itself.
	extract_vmlinux "$cache/unpacked"/boot/vmlinuz-* "$to/vmlinux.new" ||
		cp "$cache/unpacked"/boot/vmlinuz-* "$to/vmlinux.new"
	mv "$to/vmlinux.new" "$to/vmlinux"
	echo "$modules $more_modules" >"$to/list"
	rm -rf "$cache/unpacked"
}

# Prints the little-endian 32-bit number at an offset of a file.
number_at()
{
	od -An -v -tu4 -j "$2" -N 4 "$1" | tr -d ' '
}

# Cuts the ELF image out of a bzImage, by the fields setup_sects, payload_offset and
# payload_length of its header: qemu then starts it without emulating the decompression.
extract_vmlinux()
{
	local image=$1 to=$2 setup start length unpack
	setup=$(od -An -tu1 -j $((0x1f1)) -N 1 "$image" | tr -d ' ')
	start=$(((setup + 1) * 512 + $(number_at "$image" $((0x248)))))
	length=$(number_at "$image" $((0x24c)))
	case $(od -An -v -tx1 -j $start -N 4 "$image" | tr -d ' ') in
	fd377a58) unpack=xz ;;
	02214c18) unpack=lz4 ;;
	28b52ffd) unpack=zstd ;;
	1f8b*) unpack=gzip ;;
	*) return 1 ;;
	esac
	# The last four bytes are the uncompressed length.
	tail -c +$((start + 1)) "$image" | head -c $((length - 4)) | $unpack -dc >"$to" 2>/dev/null
	[ "$(head -c 4 "$to" | tail -c 3)" = ELF ]
}
