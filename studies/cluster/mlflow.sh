#!/usr/bin/env bash
# MLflow for a team: a server on PostgreSQL where everybody logs in, and sees studies of their own
# and those that they were given. docs/team-mlflow.md has the whole way.
#
#   mlflow.sh                       start the server here, in the foreground; again, and it goes on
#   mlflow.sh user NAME...          add users; their logins are in files that only you can read
#   mlflow.sh share STUDY NAME...   let users read the study of another one
#   mlflow.sh share --all NAME...   let users read all studies, also later ones
#
# Settings are variables, because whoever is on the machine sees a command line:
#
#   MLFLOW_TEAM_FOLDER              keys, logins and artifacts: ~/mlflow-team
#   MLFLOW_BACKEND_STORE_URI        the database: postgresql:///mlflow?host=/var/run/postgresql, or
#                                   what it was last; libpq reads PGPASSWORD and ~/.pgpass
#   MLFLOW_AUTH_ADMIN_PASSWORD      of the user admin, at the first start: else one is made
#   MLFLOW_PORT, MLFLOW_HOST        5000 and 127.0.0.1, which is reached through ssh or a TLS proxy
#   MLFLOW_WORKERS                  processes that answer, about 200 MB each: 2
#   PYTHON                          an environment with 'mlflow[auth]' and psycopg2-binary: python3
#
# MLFLOW_SERVER_ALLOWED_HOSTS and MLFLOW_SERVER_CORS_ALLOWED_ORIGINS name a proxy, as MLflow has it.

set -euo pipefail
umask 077

fail() {
  echo "mlflow.sh: error: $1" >&2
  exit 2
}

python=${PYTHON:-python3}
command -v "$python" > /dev/null || fail "there is no $python: PYTHON names another"
folder=${MLFLOW_TEAM_FOLDER:-${HOME:?}/mlflow-team}
[[ $folder == /* ]] || folder=$PWD/$folder
team=("$python" "$(dirname "${BASH_SOURCE[0]}")/mlflow_team.py" "$folder")

start() {
  export MLFLOW_HOST=${MLFLOW_HOST:-127.0.0.1} MLFLOW_PORT=${MLFLOW_PORT:-5000}
  "${team[@]}" prepare
  # MLflow would take these before what the files say.
  unset MLFLOW_AUTH_ADMIN_USERNAME MLFLOW_AUTH_ADMIN_PASSWORD
  MLFLOW_BACKEND_STORE_URI=$(< "$folder/database")
  MLFLOW_FLASK_SERVER_SECRET_KEY=$(< "$folder/secret-key")
  export MLFLOW_BACKEND_STORE_URI MLFLOW_FLASK_SERVER_SECRET_KEY
  export MLFLOW_AUTH_CONFIG_PATH=$folder/auth.ini
  # Jobs are for language models, and take eight processes; telemetry goes to MLflow's makers.
  export MLFLOW_SERVER_ENABLE_JOB_EXECUTION=false DO_NOT_TRACK=true MLFLOW_DISABLE_TELEMETRY=true
  exec "$python" -m mlflow server --app-name basic-auth --workers "${MLFLOW_WORKERS:-2}" \
    --serve-artifacts --artifacts-destination "$folder/artifacts" \
    --uvicorn-opts '--log-level warning'
}

case "$# ${1-}" in
  '0 ' | '1 start') start ;;
  '1 user' | '1 share' | '2 share') fail "mlflow.sh $1 needs a name: mlflow.sh --help" ;;
  *' user' | *' share') exec "${team[@]}" "$@" ;;
  *' --help' | *' -h') sed -n '2,/^$/s/^# \{0,1\}//p' "${BASH_SOURCE[0]}" ;;
  *) fail "what is '$*'? mlflow.sh --help says what there is" ;;
esac
