#!/usr/bin/env bash
# Starts ComfyUI in WSL2 (or any Linux), waits until it answers, opens the browser. run_wsl.bat calls it; the settings
# are environment variables, so that both may set them.
#   COMFYUI_DIR (~/ComfyUI)  COMFYUI_PORT (8188)  COMFYUI_PYTHON (found)  COMFYUI_ARGS ()  COMFYUI_WAIT (180 s)
set -u
dir="${COMFYUI_DIR:-$HOME/ComfyUI}"
dir="${dir/#\~/$HOME}"
port="${COMFYUI_PORT:-8188}"
wait_seconds="${COMFYUI_WAIT:-180}"
url="http://127.0.0.1:$port"

say() { printf '%s\n' "$*"; }
fail() { say "ERROR: $1"; say "   -> $2"; exit "${3:-1}"; }

answers() { "$python" - "$url/system_stats" <<'PY' >/dev/null 2>&1
import json, sys, urllib.request
opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
assert "system" in json.load(opener.open(sys.argv[1], timeout=3))
PY
}

taken() { "$python" - "$port" <<'PY' >/dev/null 2>&1
import socket, sys
socket.create_connection(("127.0.0.1", int(sys.argv[1])), timeout=1).close()
PY
}

open_browser() {
  [ "${COMFYUI_BROWSER:-1}" = 0 ] && return
  if command -v explorer.exe >/dev/null 2>&1; then explorer.exe "$url" >/dev/null 2>&1 || true
  elif command -v xdg-open >/dev/null 2>&1; then xdg-open "$url" >/dev/null 2>&1 || true
  fi
}

find_python() {
  for candidate in "${COMFYUI_PYTHON:-}" "$dir/.venv/bin/python" "$dir/venv/bin/python"; do
    [ -n "$candidate" ] && [ -x "$candidate" ] && { say "$candidate"; return; }
  done
  command -v python3
}

case "$port" in ''|*[!0-9]*) fail "COMFYUI_PORT is '$port', which is no number" "set it to 8188 at the top of run_wsl.bat" 2 ;; esac
[ -n "${COMFYUI_PYTHON:-}" ] && [ ! -x "${COMFYUI_PYTHON}" ] && fail "COMFYUI_PYTHON '$COMFYUI_PYTHON' cannot be run" "correct or remove it" 3
python="$(find_python)" || fail "no Python was found in $dir or on the PATH" "sudo apt install python3 python3-venv" 3
if answers; then
  say "ComfyUI is running already at $url"
  open_browser
  exit 0
fi
taken && fail "port $port is taken by something that is not ComfyUI" "choose another COMFYUI_PORT at the top of run_wsl.bat" 3
[ -f "$dir/main.py" ] || fail "there is no ComfyUI in '$dir' (no main.py)" "set COMFYUI_DIR at the top of run_wsl.bat to its Linux path" 2
case "$dir" in /mnt/*) say "NOTE: $dir is a Windows drive: loading models is 5 to 20 times slower there than in ~" ;; esac
gpu="${COMFYUI_NVIDIA_SMI:-$(command -v nvidia-smi || echo /usr/lib/wsl/lib/nvidia-smi)}"
arguments=()
if ! "$gpu" -L >/dev/null 2>&1; then
  say "NOTE: no NVIDIA GPU is visible: ComfyUI starts on the CPU (install the Windows driver, then 'wsl --update')"
  arguments+=(--cpu)
fi
# the user's own arguments are words, as on a command line
read -r -a more <<<"${COMFYUI_ARGS:-}"
cd "$dir" || exit 1
"$python" main.py --listen 127.0.0.1 --port "$port" --disable-auto-launch ${arguments[@]+"${arguments[@]}"} ${more[@]+"${more[@]}"} &
server=$!

stop() { kill "$server" 2>/dev/null; wait "$server" 2>/dev/null; say "ComfyUI has stopped."; exit 0; }
ask() {
  if [ -t 0 ]; then
    read -r -p "Stop ComfyUI? [y/N] " answer || answer=y
    case "$answer" in [yYjJ]*) stop ;; *) say "It runs on at $url" ;; esac
  else stop; fi
}
trap ask INT
trap stop TERM HUP

end=$((SECONDS + wait_seconds))
until answers; do
  kill -0 "$server" 2>/dev/null || { wait "$server"; fail "ComfyUI ended while it started (exit code $?)" "read its own words above" 4; }
  [ "$SECONDS" -ge "$end" ] && { kill "$server"; fail "ComfyUI did not answer within $wait_seconds s" "raise COMFYUI_WAIT, or look above" 4; }
  sleep 0.3
done
say "ComfyUI is ready at $url (Ctrl-C asks whether to stop it)"
open_browser
while kill -0 "$server" 2>/dev/null; do wait "$server"; code=$?; done
say "ComfyUI has ended (exit code ${code:-0})"
exit "${code:-0}"
