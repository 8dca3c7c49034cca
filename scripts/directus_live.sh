#!/usr/bin/env bash
# A real Directus for `make test-live`, from the npm registry that npm is configured for. No Docker, no root.
#   install        once, into a cache (1 GB; needs npm, and no compiler)
#   start RUN      prepare the database, serve on a free port of 127.0.0.1, write RUN/url and RUN/pid, wait until it answers
#   stop RUN       end it
# The database is a PostgreSQL: DB_HOST (a folder is a socket), DB_PORT, DB_DATABASE, DB_USER, DB_PASSWORD.
# ADMIN_TOKEN is the administrator's static token. Any other variable of Directus may be set too.
set -euo pipefail

VERSION=${DIRECTUS_VERSION:-11.17.4}
NODE_VERSION=${NODE_VERSION:-22.23.3}
CACHE=${SONIK_HOME:-${XDG_CACHE_HOME:-$HOME/.cache}/sonik}/directus
NODE=$CACHE/node/node_modules/node-linux-$(uname -m | sed 's/x86_64/x64/; s/aarch64/arm64/')
READY=$CACHE/.installed-$VERSION-$NODE_VERSION
export npm_config_fund=false npm_config_audit=false npm_config_update_notifier=false npm_config_loglevel=error

install() {
  [ -f "$READY" ] && return
  mkdir -p "$CACHE/node" "$CACHE/no-isolated-vm"
  echo '{"private":true}' > "$CACHE/node/package.json"
  (cd "$CACHE/node" && npm install --no-save --ignore-scripts "$(basename "$NODE")@$NODE_VERSION")
  # isolated-vm wants a compiler; only scripts in Flows use it, yet Directus imports it when it starts.
  echo '{"name":"isolated-vm","version":"5.0.3","main":"index.js"}' > "$CACHE/no-isolated-vm/package.json"
  echo 'module.exports = new Proxy({}, {get: () => class {constructor() {throw new Error("left out")}}});' \
    > "$CACHE/no-isolated-vm/index.js"
  printf '{"private":true,"dependencies":{"directus":"%s"},"overrides":{"isolated-vm":"file:./no-isolated-vm"}}\n' \
    "$VERSION" > "$CACHE/package.json"
  (cd "$CACHE" && PATH=$NODE/bin:$PATH npm install --ignore-scripts)
  touch "$READY"
}

free_port() {
  node -e 'const s = require("net").createServer().listen(0, "127.0.0.1", () => {console.log(s.address().port); s.close()})'
}

start() {
  local run=$1 directus=$CACHE/node_modules/directus/cli.js
  mkdir -p "$run/uploads" "$run/extensions"
  export PATH=$NODE/bin:$PATH HOST=127.0.0.1 TZ=UTC NODE_ENV=production DB_CLIENT=pg
  PORT=${PORT:-$(free_port)}
  export PORT PUBLIC_URL=http://127.0.0.1:$PORT
  export SECRET=${SECRET:-only-for-tests-0123456789abcdef} ADMIN_EMAIL=${ADMIN_EMAIL:-admin@example.com}
  export ADMIN_PASSWORD=${ADMIN_PASSWORD:-only-for-tests} ADMIN_TOKEN=${ADMIN_TOKEN:-only-for-tests}
  export TELEMETRY=false LOG_LEVEL=${LOG_LEVEL:-warn} CACHE_ENABLED=false WEBSOCKETS_ENABLED=false
  export STORAGE_LOCATIONS=local STORAGE_LOCAL_ROOT=$run/uploads EXTENSIONS_PATH=$run/extensions
  cd "$run"
  node "$directus" bootstrap > bootstrap.log 2>&1 || { tail -n 20 bootstrap.log >&2; exit 1; }
  nohup node "$directus" start > server.log 2>&1 &
  echo $! > pid
  for _ in $(seq 1 240); do
    if curl -sf -o /dev/null "$PUBLIC_URL/server/ping"; then echo "$PUBLIC_URL" > url; return; fi
    kill -0 "$(cat pid)" 2>/dev/null || break
    sleep 0.25
  done
  echo "Directus did not start:" >&2
  tail -n 20 server.log >&2
  exit 1
}

stop() {
  [ -f "$1/pid" ] && kill "$(cat "$1/pid")" 2>/dev/null
  rm -f "$1/pid" "$1/url"
}

case "${1:-}" in
  install) install ;;
  start) install; start "${2:?a folder to run in}" ;;
  stop) stop "${2:?the folder it runs in}" ;;
  *) sed -n '2,7p' "$0"; exit 1 ;;
esac
