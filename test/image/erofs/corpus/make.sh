#!/bin/sh
# Makes the images of this folder anew: ./make.sh FOLDER, with erofs-utils 1.8.6 on PATH (MKFS=... names another mkfs.erofs).
# FOLDER must not exist; it keeps the tree that the images hold.
set -eu
umask 022
here=$(cd "$(dirname "$0")" && pwd)
tree=$1
mkfs=${MKFS:-mkfs.erofs}
mkdir "$tree"

put() { mkdir -p "$tree/$(dirname "$1")"; cat >"$tree/$1"; }
lines() { seq -f "$2 line %04g of a text that repeats itself, as configuration and symbol tables do" 1 "$1"; }
# Bytes that no compressor shortens, the same each time.
noise() { head -c "$1" /dev/zero | openssl enc -aes-128-ctr -K 000102030405060708090a0b0c0d0e0f -iv 00000000000000000000000000000000; }

printf 'ID=_any\nARCHITECTURE=x86-64\nEXTENSION_RELOAD_MANAGER=1\n' | put usr/lib/extension-release.d/extension-release.demo
printf '{"name":"demo","version":"1.2.3"}\n' | put usr/share/sextant/manifest.json
{ lines 900 first; noise 4500; lines 500 second; } | put usr/bin/mixed
noise 2000 | put usr/bin/noise
truncate -s 300000 "$tree/usr/share/zeros" # A hole.
{ lines 300 first; noise 100; } | put usr/share/text
lines 300 first | put usr/share/text-again
head -c 4096 /dev/zero | tr '\0' x | put usr/share/block
: | put usr/share/empty
put deep/d/e/e/p/f/o/l/d/e/r/s/end </dev/null
chmod 0755 "$tree/usr/bin/mixed"
chmod 4750 "$tree/usr/bin/noise"
chmod 1777 "$tree/deep"
mkdir "$tree/many"
echo linked >"$tree/many/a-hard-link-000"
for number in $(seq -w 1 170); do ln "$tree/many/a-hard-link-000" "$tree/many/a-hard-link-$number"; done
echo 'a name as long as names get' >"$tree/many/$(printf 'n%.0s' $(seq 255))"
echo 'ünïcödé' >"$tree/many/ünïcödé"
mkdir "$tree/links"
ln -s ../usr/share/sextant/manifest.json "$tree/links/relative"
ln -s /usr/share "$tree/links/absolute"
ln -s ../../../usr/bin "$tree/links/above-root"
ln -s missing "$tree/links/dangling"
ln -s loop-b "$tree/links/loop-a"
ln -s loop-a "$tree/links/loop-b"
mkfifo "$tree/links/pipe"

# What the tests hold the images against: kind, mode, size, links, SHA-256 of a file, path, target of a link.
(cd "$tree" && find . -printf '%y %m %s %n %P\t%l\n' | LC_ALL=C sort -k5 | while IFS= read -r line; do
  path=${line#* * * * }; path=${path%%	*}
  case $line in f*) digest=$(sha256sum "$path" | cut -d' ' -f1) ;; *) digest=- ;; esac
  printf '%s %s\n' "$digest" "$line"
done) >"$here/tree.txt"

image() {
  name=$1
  shift
  "$mkfs" --quiet --all-root -T1700000000 -U00112233-4455-6677-8899-aabbccddeeff "$@" "$tree.img" "$tree"
  gzip -9nc "$tree.img" >"$here/$name.img.gz"
  rm -f "$tree.img"
}

image plain
image plain-no-inline -Enoinline_data -Lsextant
image plain-extended -Eforce-inode-extended --force-uid=100000
image chunk-map --chunksize=4096 -Eforce-inode-blockmap
image chunk-indexes --chunksize=8192 -Eforce-chunk-indexes
image lz4 -zlz4
image lz4-512 -zlz4 -b512
image lz4-legacy -zlz4 -Elegacy-compress
image lz4hc-64k -zlz4hc,12 -C65536
image lz4hc-1m -zlz4hc -C1048576
image lz4hc-tail -zlz4hc -C65536 -Eztailpacking
image lz4hc-fragments -zlz4hc -C65536 -Eall-fragments
image lz4hc-dedupe -zlz4hc -C65536 -Ededupe
image lz4hc-everything -zlz4hc -C65536 -Eztailpacking,fragments,dedupe
image zstd-64k -zzstd -C65536
image zstd-dedupe -zzstd -C65536 -Ededupe,fragments
image deflate -zdeflate -C65536
image two-algorithms -zlz4hc:zstd -C65536
image lzma -zlzma -C65536
