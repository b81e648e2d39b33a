#!/usr/bin/env bash
# clickhouse.sh: ClickHouse servers and their ZooKeeper on loopback, from Debian's packages and with files of their own, to
# try and to test the engine "clickhouse". Nothing of them outlives their folder; Debian's own services are not touched.
set -euo pipefail

usage() {
    cat <<'END'
Usage: clickhouse.sh COMMAND DIR [ARGUMENT]…
  make DIR SHARDSxREPLICAS   settings, ports and passwords for a new cluster in DIR; SHARDSxREPLICAS: 1x2, say
  start DIR [N|zookeeper]…   starts these (servers count from 1), or all
  stop DIR [N|zookeeper]…    ends them, in order
  kill DIR [N|zookeeper]…    ends them by SIGKILL
  hold DIR                   starts all, waits to be told to stop (SIGTERM), and stops all
  urls DIR                   what clickhouse_urls is to be
The databases' user is "analytics", that for reports "analytics_reports"; their passwords are in DIR/password and
DIR/reports.password.
END
}

die() { echo "clickhouse.sh: $*" >&2 && exit 1; }

# A port of loopback that nobody listens on. Not one of those that the system hands out (from 32768 on). Where it begins
# depends on the process, so that clusters that are made at the same time take different ones.
last_port=$(($$ * 37))
free_port() {
    while :; do
        PORT=$((20000 + ++last_port % 12000))
        (: <>"/dev/tcp/127.0.0.1/$PORT") 2>/dev/null || break
    done
}

# ---- make ----

# Two files with a password: the one that programs read, and one without an end of line, to be hashed.
write_password() { # NAME
    (
        umask 077
        od -An -N16 -tx1 /dev/urandom | tr -d ' \n' >"$DIR/$1.bare"
        printf '%s\n' "$(cat "$DIR/$1.bare")" >"$DIR/$1"
    )
}

hash_of() { sha256sum <"$DIR/$1.bare" | cut -d' ' -f1; }

write_zookeeper() { # PORT
    mkdir -p "$DIR/zookeeper/data"
    cat >"$DIR/zookeeper/zoo.cfg" <<END
tickTime=500
dataDir=$DIR/zookeeper/data
clientPort=$1
clientPortAddress=127.0.0.1
maxClientCnxns=100
END
    printf '%s\n' 'log4j.rootLogger=WARN, C' 'log4j.appender.C=org.apache.log4j.ConsoleAppender' \
        'log4j.appender.C.layout=org.apache.log4j.PatternLayout' 'log4j.appender.C.layout.ConversionPattern=%d %p %m%n' \
        >"$DIR/zookeeper/log4j.properties"
}

# The cluster "analytics", as every server sees it.
write_cluster() {
    local shard replica
    for ((shard = 1; shard <= shards; shard++)); do
        echo '<shard><internal_replication>true</internal_replication>'
        for ((replica = 1; replica <= replicas; replica++)); do
            printf '<replica><host>127.0.0.1</host><port>%s</port><user>analytics</user><password>%s</password></replica>\n' \
                "${tcp[(shard - 1) * replicas + replica]}" "$(cat "$DIR/password")"
        done
        echo '</shard>'
    done
}

write_users() {
    cat <<END
<yandex>
  <profiles>
    <default><max_memory_usage>2000000000</max_memory_usage><max_threads>2</max_threads>
      <load_balancing>in_order</load_balancing></default>
    <reports><readonly>2</readonly><max_memory_usage>2000000000</max_memory_usage><max_threads>2</max_threads>
      <load_balancing>in_order</load_balancing></reports>
  </profiles>
  <users>
    <analytics><password_sha256_hex>$(hash_of password)</password_sha256_hex>
      <networks><ip>127.0.0.1</ip></networks><profile>default</profile><quota>default</quota></analytics>
    <analytics_reports><password_sha256_hex>$(hash_of reports.password)</password_sha256_hex>
      <networks><ip>127.0.0.1</ip></networks><profile>reports</profile><quota>default</quota></analytics_reports>
  </users>
  <quotas><default/></quotas>
</yandex>
END
}

# A server that was killed together with ZooKeeper may have a part that ZooKeeper never heard of. Where that is more than
# half of a table's rows, as it may be in a new one, the server would not start: replicated_max_ratio_of_wrong_parts.
write_server() { # N SHARD REPLICA
    local home=$DIR/server$1
    mkdir -p "$home/data" "$home/log"
    echo "${http[$1]}" >"$home/http_port"
    cat >"$home/config.xml" <<END
<yandex>
  <logger><level>information</level><log>$home/log/server.log</log><errorlog>$home/log/error.log</errorlog>
    <size>20M</size><count>2</count></logger>
  <listen_host>127.0.0.1</listen_host>
  <http_port>${http[$1]}</http_port>
  <tcp_port>${tcp[$1]}</tcp_port>
  <interserver_http_port>${inter[$1]}</interserver_http_port>
  <interserver_http_host>127.0.0.1</interserver_http_host>
  <path>$home/data/</path>
  <tmp_path>$home/data/tmp/</tmp_path>
  <users_config>users.xml</users_config>
  <default_profile>default</default_profile>
  <default_database>default</default_database>
  <timezone>UTC</timezone>
  <mark_cache_size>67108864</mark_cache_size>
  <keep_alive_timeout>30</keep_alive_timeout>
  <dictionaries_config>none_*.xml</dictionaries_config>
  <macros><shard>$2</shard><replica>$3</replica></macros>
  <zookeeper><node index="1"><host>127.0.0.1</host><port>$zookeeper</port></node>
    <session_timeout_ms>6000</session_timeout_ms></zookeeper>
  <remote_servers><analytics>
$(write_cluster)
  </analytics></remote_servers>
  <merge_tree><zookeeper_session_expiration_check_period>1</zookeeper_session_expiration_check_period>
    <replicated_max_ratio_of_wrong_parts>1</replicated_max_ratio_of_wrong_parts></merge_tree>
</yandex>
END
    write_users >"$home/users.xml"
}

make_cluster() { # SHARDSxREPLICAS
    [[ $1 =~ ^([1-9])x([1-9])$ ]] || die "$1: not SHARDSxREPLICAS, such as 1x2"
    shards=${BASH_REMATCH[1]} replicas=${BASH_REMATCH[2]}
    [ ! -e "$DIR/shape" ] || die "$DIR holds a cluster already"
    mkdir -p "$DIR"
    local n total=$((shards * replicas))
    free_port && zookeeper=$PORT
    for ((n = 1; n <= total; n++)); do
        free_port && http[n]=$PORT
        free_port && tcp[n]=$PORT
        free_port && inter[n]=$PORT
    done
    write_password password
    write_password reports.password
    write_zookeeper "$zookeeper"
    for ((n = 1; n <= total; n++)); do
        write_server "$n" $(((n - 1) / replicas + 1)) $(((n - 1) % replicas + 1))
    done
    rm -f "$DIR"/*.bare
    echo "$1" >"$DIR/shape"
}

# ---- start and stop ----

# Before a program's name: the program ends when this script does. Only for `hold`, which lasts.
TIED=

zookeeper_answers() {
    local port
    port=$(sed -n 's/^clientPort=//p' "$DIR/zookeeper/zoo.cfg")
    (exec 3<>"/dev/tcp/127.0.0.1/$port" && printf srvr >&3 && [[ $(timeout 1 cat <&3) == *Mode:* ]]) 2>/dev/null
}

server_answers() { # N
    curl -s -o /dev/null --max-time 2 "http://127.0.0.1:$(cat "$DIR/server$1/http_port")/ping"
}

# Its manifest names the other jars.
run_zookeeper() {
    local jars=/usr/share/java
    cd "$DIR/zookeeper"
    exec $TIED java -Xmx96m -XX:+UseSerialGC -Djava.awt.headless=true -Dzookeeper.jmx.log4j.disable=true \
        -Dzookeeper.admin.enableServer=false -Dzookeeper.4lw.commands.whitelist=srvr \
        "-Dlog4j.configuration=file:$DIR/zookeeper/log4j.properties" \
        -cp "$jars/zookeeper.jar:$jars/slf4j-log4j12.jar:$jars/log4j-1.2.jar" \
        org.apache.zookeeper.server.ZooKeeperServerMain "$DIR/zookeeper/zoo.cfg"
}

run_server() { # N
    cd "$DIR/server$1"
    exec $TIED /usr/sbin/clickhouse-server "--config-file=$DIR/server$1/config.xml" "--pid-file=$DIR/server$1/own.pid"
}

home_of() { if [ "$1" = zookeeper ]; then echo "$DIR/zookeeper"; else echo "$DIR/server$1"; fi; }

is_running() { # HOME
    [ -s "$1/pid" ] && kill -0 "$(cat "$1/pid")" 2>/dev/null
}

run_part() { if [ "$1" = zookeeper ]; then run_zookeeper; else run_server "$1"; fi; }
part_answers() { if [ "$1" = zookeeper ]; then zookeeper_answers; else server_answers "$1"; fi; }

start_part() { # N|zookeeper
    local home i
    home=$(home_of "$1")
    [ -d "$home" ] || die "$DIR has no $1"
    ! is_running "$home" || return 0
    (run_part "$1") >>"$home/output.log" 2>&1 </dev/null &
    echo $! >"$home/pid"
    for ((i = 0; i < 600; i++)); do
        ! part_answers "$1" || return 0
        is_running "$home" || break
        sleep 0.1
    done
    tail -n 5 "$home/output.log" >&2
    die "$1 does not start: $home/output.log"
}

end_part() { # SIGNAL N|zookeeper
    local home i
    home=$(home_of "$2")
    is_running "$home" || return 0
    kill "-$1" "$(cat "$home/pid")"
    for ((i = 0; i < 600; i++)); do
        is_running "$home" || break
        sleep 0.1
    done
    ! is_running "$home" || kill -KILL "$(cat "$home/pid")" || true
    rm -f "$home/pid"
}

# Parts that end by themselves are left: the service is to live with that.
hold() {
    local part
    TIED='setpriv --pdeathsig TERM'
    trap 'exit 143' TERM HUP INT
    trap 'trap "" TERM HUP INT; for part in "${parts[@]}"; do end_part TERM "$part"; done' EXIT
    mapfile -t starting < <(all_parts)
    mapfile -t parts < <(all_parts | tac)
    for part in "${starting[@]}"; do start_part "$part"; done
    : >"$DIR/is_up"
    while :; do
        sleep 1 &
        wait $!
    done
}

all_parts() { # in the order in which they start
    local home
    echo zookeeper
    for home in "$DIR"/server*; do echo "${home##*/server}"; done
}

print_urls() {
    local shards replicas n=1 shard replica url words=()
    IFS=x read -r shards replicas <"$DIR/shape"
    for ((shard = 0; shard < shards; shard++)); do
        url=
        for ((replica = 0; replica < replicas; replica++, n++)); do
            url+=${url:+,}http://127.0.0.1:$(cat "$DIR/server$n/http_port")
        done
        words+=("$url")
    done
    echo "${words[*]}"
}

[ "${1:-}" != --help ] || { usage && exit 0; }
[ $# -ge 2 ] || { usage >&2 && exit 2; }
command=$1
DIR=$(realpath -m -- "$2")
shift 2
[ "$command" = make ] || [ -e "$DIR/shape" ] || die "$DIR holds no cluster: make one first"
parts=("$@")
case $command in
make) [ $# -eq 1 ] || die "make takes SHARDSxREPLICAS" && make_cluster "$1" ;;
start)
    [ $# -gt 0 ] || mapfile -t parts < <(all_parts)
    for part in "${parts[@]}"; do start_part "$part"; done
    ;;
stop | kill)
    [ $# -gt 0 ] || mapfile -t parts < <(all_parts | tac)
    [ "$command" = stop ] && signal=TERM || signal=KILL
    for part in "${parts[@]}"; do end_part "$signal" "$part"; done
    ;;
hold) rm -f "$DIR/is_up" && hold ;;
urls) print_urls ;;
*) usage >&2 && exit 2 ;;
esac
