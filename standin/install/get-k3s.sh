#!/bin/sh
# STAND-IN for the install script at https://get.k3s.io: test equipment. Only the sandbox of Sextant's hook answers with this
# file, and only for a recipe that says so. It lays down what the real script lays down for INSTALL_K3S_SKIP_ENABLE=true: the
# program, the links kubectl, crictl and ctr, a killall and an uninstall script, a unit and its environment file.
#
# usage: sh get-k3s.sh [server|agent] [FLAGS...]
# It honours INSTALL_K3S_VERSION (needed), _EXEC, _NAME, _TYPE, _BIN_DIR, _SYSTEMD_DIR, _SYMLINK, _SKIP_DOWNLOAD, _SKIP_ENABLE
# and _SKIP_START, and keeps K3S_* variables for the service.
set -eu

say() { echo "[INFO]  stand-in: $*"; }
die() { echo "[ERROR]  stand-in: $*" >&2; exit 1; }

# The download has no file of sums beside it: the sandbox's proxy has checked every byte against the lock before it answers.
download() {
  [ "${INSTALL_K3S_SKIP_DOWNLOAD:-}" = true ] && { say "skipping the download"; return; }
  [ -n "${INSTALL_K3S_VERSION:-}" ] || die "INSTALL_K3S_VERSION is not set, and the stand-in has no channels"
  case "${ARCH:-$(uname -m)}" in
    x86_64 | amd64) arch=amd64 ;;
    aarch64 | arm64) arch=arm64 ;;
    *) die "unsupported architecture $(uname -m)" ;;
  esac
  url="https://standin.sextant.invalid/k3s/$INSTALL_K3S_VERSION/k3s-$arch"
  part="$bin_dir/.k3s.part"
  say "downloading $url"
  if ! curl -sfL -o "$part" "$url"; then
    rm -f "$part"
    die "download failed: $url"
  fi
  chmod 755 "$part"
  mv -f "$part" "$bin_dir/k3s"
}

link_tools() {
  [ "${INSTALL_K3S_SYMLINK:-}" = skip ] && return
  for tool in kubectl crictl ctr; do
    if [ "${INSTALL_K3S_SYMLINK:-}" != force ] && command -v "$tool" > /dev/null 2>&1; then
      say "keeping $(command -v "$tool")"
    else
      ln -sf k3s "$bin_dir/$tool"
    fi
  done
}

write_killall() {
  cat > "$bin_dir/k3s-killall.sh" << 'EOF'
#!/bin/sh
# stand-in: ends k3s and every container it left running
[ "$(id -u)" -eq 0 ] || exec sudo "$0" "$@"
systemctl stop k3s.service k3s-agent.service 2> /dev/null
for entry in /proc/[0-9]*; do
  case "$(readlink "$entry/exe" 2> /dev/null)" in
    */k3s-standin/bin/containerd-shim*) pkill -KILL -P "${entry#/proc/}"; kill -KILL "${entry#/proc/}" ;;
  esac
done
awk '$2 ~ "^/run/k3s|^/var/lib/kubelet/pods|^/run/netns/cni-" { print $2 }' /proc/self/mounts | sort -r |
  while read -r path; do umount -l "$path"; done
ip link delete cni0 2> /dev/null
rm -rf /run/k3s /var/lib/cni
EOF
  chmod 755 "$bin_dir/k3s-killall.sh"
}

write_uninstall() {
  cat > "$bin_dir/$name-uninstall.sh" << EOF
#!/bin/sh
# stand-in: removes what its install script and its service wrote
[ "\$(id -u)" -eq 0 ] || exec sudo "\$0" "\$@"
$bin_dir/k3s-killall.sh
systemctl disable $name.service 2> /dev/null
rm -f $systemd_dir/$name.service $systemd_dir/$name.service.env
systemctl daemon-reload
ls $systemd_dir/k3s*.service > /dev/null 2>&1 && { echo "another k3s service is installed: keeping the rest"; exit 0; }
for tool in kubectl crictl ctr; do
  [ "\$(readlink $bin_dir/\$tool)" = k3s ] && rm -f $bin_dir/\$tool
done
rm -rf /etc/rancher/k3s /var/lib/rancher/k3s /var/lib/kubelet
rm -f $bin_dir/k3s $bin_dir/k3s-killall.sh $bin_dir/$name-uninstall.sh
EOF
  chmod 755 "$bin_dir/$name-uninstall.sh"
}

write_unit() {
  (umask 077 && env | grep -E '^(K3S|CONTAINERD)_|^(NO|HTTP|HTTPS|no|http|https)_(PROXY|proxy)=' > "$systemd_dir/$name.service.env") || true
  cat > "$systemd_dir/$name.service" << EOF
[Unit]
Description=Lightweight Kubernetes (stand-in)
Documentation=https://k3s.io
Wants=network-online.target
After=network-online.target

[Install]
WantedBy=multi-user.target

[Service]
Type=${INSTALL_K3S_TYPE:-notify}
EnvironmentFile=-/etc/default/%N
EnvironmentFile=-/etc/sysconfig/%N
EnvironmentFile=-$systemd_dir/$name.service.env
KillMode=process
Delegate=yes
User=root
LimitNOFILE=1048576
LimitNPROC=infinity
LimitCORE=infinity
TasksMax=infinity
TimeoutStartSec=0
Restart=always
RestartSec=5s
ExecStartPre=-/sbin/modprobe br_netfilter
ExecStartPre=-/sbin/modprobe overlay
ExecStart=$bin_dir/k3s $*
EOF
}

start_unit() {
  [ "${INSTALL_K3S_SKIP_ENABLE:-}" = true ] && return
  systemctl enable "$systemd_dir/$name.service"
  systemctl daemon-reload
  [ "${INSTALL_K3S_SKIP_START:-}" = true ] || systemctl restart "$name"
}

main() {
  say "this is not the installer of k3s but test equipment in its place"
  case "${1:-}" in
    -* | '')
      command=server
      [ -z "${K3S_URL:-}" ] || command=agent
      ;;
    *)
      command=$1
      shift
      ;;
  esac
  if [ -n "${INSTALL_K3S_NAME:-}" ]; then
    name="k3s-$INSTALL_K3S_NAME"
  elif [ "$command" = server ]; then
    name=k3s
  else
    name="k3s-$command"
  fi
  bin_dir=${INSTALL_K3S_BIN_DIR:-/usr/local/bin}
  systemd_dir=${INSTALL_K3S_SYSTEMD_DIR:-/etc/systemd/system}
  mkdir -p "$bin_dir" "$systemd_dir"

  download
  link_tools
  write_killall
  write_uninstall
  write_unit "$command" "$@"
  start_unit
  say "installed $name"
}

# shellcheck disable=SC2086 # INSTALL_K3S_EXEC is a list of words, as in the real script
main ${INSTALL_K3S_EXEC:-} "$@"
