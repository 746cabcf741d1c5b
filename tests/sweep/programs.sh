# shellcheck shell=bash disable=SC2034,SC2015,SC2016
# The programs of the sweep: run_NAME does some work in an empty directory, prints what must be the same each time, and
# leaves files to compare in keep/. Servers listen on sockets in that directory, or on loopback, and are waited for, so
# that their memory counts.
#
# command_of: the command that shows that a program is there, if it is not the name (packages has its Debian packages);
# cause_of: why one may take more memory than it should.
declare -A command_of cause_of

wait_for() { # COMMAND...: until it succeeds, 20 s at most
    local i
    for ((i = 0; i < 400; i++)); do "$@" >/dev/null 2>&1 && return 0; sleep 0.05; done
    return 1
}

numbers() { seq -f '%.0f' 1 "$1"; }
port() { echo $((20000 + RANDOM % 20000)); }

# --- servers ----------------------------------------------------------------------------------------------------------

command_of[postgres]=pg_lsclusters
run_postgres() {
    local bin
    bin=$(find /usr/lib/postgresql -name initdb -printf '%h\n' | sort | tail -n 1)
    as() { if [[ $(id -u) == 0 ]]; then exec setpriv --reuid=65534 --regid=65534 --clear-groups "$@"; else exec "$@"; fi; } # it refuses root
    mkdir -m 777 data && if [[ $(id -u) == 0 ]]; then chown 65534:65534 data; fi
    (as "$bin/initdb" -D data/db -A trust -U user --no-sync >/dev/null)
    as "$bin/postgres" -D data/db -k "$PWD/data" -c listen_addresses= -c fsync=off >/dev/null 2>&1 &
    local server=$!
    sql() { psql -X -q -A -t -h "$PWD/data" -U user "$@" postgres; }
    wait_for sql -c 'select 1'
    "$bin/pgbench" -q -i -s 4 -h "$PWD/data" -U user postgres >/dev/null 2>&1
    "$bin/pgbench" -c 8 -j 2 -t 300 -n -S -h "$PWD/data" -U user postgres >/dev/null 2>&1
    sql -c "create table t as select i, md5(i::text) as m, (i * 7919) % 10007 as k from generate_series(1, 200000) i" \
        -c "create index on t (k)" -c "select count(*), sum(k), min(m), max(m) from t" \
        -c "select k, count(*), string_agg(m, ',' order by m) from t where k < 5 group by k order by k" \
        -c "select sum(abalance), count(*) from pgbench_accounts"
    kill -INT "$server" && wait "$server" || true
}

command_of[mariadb]=mariadbd
run_mariadb() {
    mkdir -m 777 data
    local user
    user=$(id -un)
    mariadb-install-db --no-defaults --datadir="$PWD/data" --user="$user" --auth-root-authentication-method=normal --skip-test-db >/dev/null 2>&1
    mariadbd --no-defaults --datadir="$PWD/data" --user="$user" --socket="$PWD/s" --skip-networking --pid-file="$PWD/pid" --innodb-flush-log-at-trx-commit=0 \
        >/dev/null 2>&1 &
    local server=$!
    sql() { mariadb --no-defaults -N -B -S "$PWD/s" -u root "$@"; }
    wait_for sql -e 'select 1'
    sql -e "create database d; use d; create table t (i int primary key, m varchar(40), k int, key (k));
        insert into t select seq, md5(seq), (seq * 7919) % 10007 from seq_1_to_100000;
        select count(*), sum(k), min(m), max(m) from t; select k, count(*), group_concat(m order by m) from t where k < 5 group by k;
        alter table t add column x text; update t set x = repeat(m, 5) where i % 3 = 0; select sum(length(x)) from t"
    numbers 20 | xargs -P 4 -I @ mariadb --no-defaults -N -B -S "$PWD/s" -u root d -e "select sum(k + @) from t" | sort
    mariadb-admin --no-defaults -S "$PWD/s" -u root shutdown && wait "$server" || true
}

run_memcached() {
    local user
    user=$(id -un)
    memcached -s "$PWD/s" -u "$user" -m 128 -t 4 &
    local server=$!
    wait_for test -S s
    python3 - <<'PYTHON'
import socket, threading
def work(n):
    s = socket.socket(socket.AF_UNIX); s.connect("s"); f = s.makefile("rb")
    for i in range(4000):
        key, value = f"k{n}-{i % 1500}", b"x" * (i * 37 % 3000)
        s.sendall(f"set {key} 0 0 {len(value)}\r\n".encode() + value + b"\r\n"); assert f.readline() == b"STORED\r\n"
    total = 0
    for i in range(1500):
        s.sendall(f"get k{n}-{i}\r\n".encode()); head = f.readline().split()
        if head[0] == b"VALUE": total += len(f.read(int(head[3]) + 2)); f.readline()
    sums[n] = total
sums = [0] * 8
threads = [threading.Thread(target=work, args=(n,)) for n in range(8)]
[t.start() for t in threads]; [t.join() for t in threads]
print(sums)
PYTHON
    kill "$server" && wait "$server" || true
}

run_nginx() {
    mkdir root
    numbers 20000 >root/numbers && head -c 3000000 /dev/zero >root/zeros
    printf 'daemon off; pid %s; error_log %s; worker_processes 2; events {}\nhttp { access_log off; client_body_temp_path %s; proxy_temp_path %s; fastcgi_temp_path %s; uwsgi_temp_path %s; scgi_temp_path %s; server { listen unix:%s; root %s; gzip on; gzip_min_length 1; gzip_types *; autoindex on; } }\n' \
        "$PWD/pid" "$PWD/error" "$PWD/a" "$PWD/b" "$PWD/c" "$PWD/d" "$PWD/e" "$PWD/s" "$PWD/root" >conf
    if [[ $(id -u) == 0 ]]; then sed -i '1s/^/user root; /' conf; fi
    nginx -c "$PWD/conf" 2>/dev/null &
    local server=$!
    wait_for test -S s
    for i in $(numbers 40); do
        curl -s --compressed --unix-socket s http://x/numbers http://x/zeros http://x/none | cksum
    done | sort | uniq -c
    kill -QUIT "$server" && wait "$server" || true
}

run_haproxy() {
    printf 'global\n nbthread 2\n log stdout local0 emerg\ndefaults\n mode http\n timeout client 5s\n timeout server 5s\n timeout connect 5s\nfrontend f\n bind unix@%s\n http-request set-var(txn.p) path,base64\n http-request return status 200 content-type text/plain lf-string "%%[var(txn.p)] %%[path,sha2(256),hex]\\n"\n' "$PWD/s" >conf
    haproxy -f conf -db 2>/dev/null &
    local server=$!
    wait_for test -S s
    for i in $(numbers 60); do curl -s --unix-socket s "http://x/path$i/[1-20]"; done | cksum
    kill "$server" && wait "$server" || true
}

run_varnish() { # linked with jemalloc
    mkdir root && numbers 3000 >root/numbers && head -c 500000 /dev/zero >root/zeros
    local port
    port=$(port)
    python3 -m http.server --bind 127.0.0.1 --directory root "$port" >/dev/null 2>&1 &
    local origin=$!
    printf 'vcl 4.1; backend b { .host = "127.0.0.1"; .port = "%s"; } sub vcl_backend_response { set beresp.ttl = 1h; unset beresp.http.Last-Modified; }\n' "$port" >vcl
    varnishd -F -n "$PWD/varnish" -a "$PWD/s" -f "$PWD/vcl" -s malloc,64m -j none >/dev/null 2>&1 &
    local server=$!
    wait_for test -S s
    wait_for curl -sf --unix-socket s http://x/numbers
    for i in $(numbers 30); do curl -s --unix-socket s "http://x/numbers?$((i % 5))" "http://x/zeros?$((i % 7))"; done | cksum
    kill "$server" "$origin" && wait "$server" || true
}
command_of[varnish]=varnishd

command_of[squid]=squid
run_squid() {
    mkdir root && numbers 3000 >root/numbers && head -c 500000 /dev/zero >root/zeros && chmod 777 .
    local port proxy
    port=$(port) proxy=$(port)
    python3 -m http.server --bind 127.0.0.1 --directory root "$port" >/dev/null 2>&1 &
    local origin=$!
    printf '%s\n' "http_port 127.0.0.1:$proxy" 'http_access allow all' 'cache_mem 32 MB' 'access_log none' "cache_log $PWD/log" "pid_filename $PWD/pid" "coredump_dir $PWD" \
        "cache_effective_user $([[ $(id -u) == 0 ]] && echo nobody || id -un)" 'pinger_enable off' 'shutdown_lifetime 1 seconds' 'refresh_pattern . 60 50% 60 override-expire' >conf
    squid -N -f "$PWD/conf" -n "mb$$" >/dev/null 2>&1 &
    local server=$!
    wait_for curl -sf -x "http://127.0.0.1:$proxy" "http://127.0.0.1:$port/numbers"
    for i in $(numbers 30); do curl -s -x "http://127.0.0.1:$proxy" "http://127.0.0.1:$port/numbers?$((i % 5))" "http://127.0.0.1:$port/zeros?$((i % 7))"; done | cksum
    kill "$server" "$origin" && wait "$server" || true
}

command_of[apache]=apache2
run_apache() { # threads in processes, pools of its own
    mkdir root && numbers 20000 >root/numbers && head -c 2000000 /dev/zero >root/zeros
    local port
    port=$(port)
    printf '%s\n' "$([[ $(id -u) != 0 ]] || printf 'User nobody\nGroup nogroup')" "ServerRoot $PWD" "PidFile $PWD/pid" "ErrorLog $PWD/log" "Listen 127.0.0.1:$port" "DocumentRoot $PWD/root" 'ServerName x' "DefaultRuntimeDir $PWD" "Mutex file:$PWD" \
        'LoadModule mpm_event_module /usr/lib/apache2/modules/mod_mpm_event.so' 'LoadModule authz_core_module /usr/lib/apache2/modules/mod_authz_core.so' \
        'LoadModule deflate_module /usr/lib/apache2/modules/mod_deflate.so' 'LoadModule filter_module /usr/lib/apache2/modules/mod_filter.so' \
        'LoadModule headers_module /usr/lib/apache2/modules/mod_headers.so' 'SetOutputFilter DEFLATE' 'Header unset ETag' 'StartServers 2' 'ThreadsPerChild 16' >conf
    apache2 -f "$PWD/conf" -DFOREGROUND >/dev/null 2>&1 &
    local server=$!
    wait_for curl -sf "http://127.0.0.1:$port/numbers"
    numbers 40 | xargs -P 4 -I @ sh -c "curl -s --compressed 'http://127.0.0.1:$port/numbers?@' http://127.0.0.1:$port/zeros | cksum" | sort | uniq -c
    kill "$server" && wait "$server" || true
}

# --- languages --------------------------------------------------------------------------------------------------------

run_ruby() {
    ruby -e '
        srand(1); words = Array.new(200_000) { |i| (i * 7919 % 100_003).to_s(36) * (1 + i % 5) }
        count = Hash.new(0); words.each { |w| count[w] += 1 }
        puts count.size, count.sort_by { |w, n| [-n, w] }.first(5).inspect
        puts 6.times.map { |t| Thread.new { s = +""; 20_000.times { |i| s << (i * t).to_s; s = +s[-200..-1] if s.size > 5000 }; s.hash; s[-20..-1] } }.map(&:value).inspect
        puts 4.times.map { |n| r, w = IO.pipe; pid = fork { r.close; a = (1..100_000).map { |i| "v#{i * n}" }; w.write a.sum(&:size).to_s; w.close; exit!(0) }; w.close; v = r.read; Process.wait(pid); v }.inspect
        GC.start; puts words.map(&:size).sum; GC.compact if GC.respond_to?(:compact) rescue nil'
}

run_R() {
    R --vanilla --slave -e 'set.seed(1); m <- matrix(rnorm(250000), 500); s <- svd(m)$d; cat(format(sum(s), digits=8), "\n"); d <- data.frame(g=sample(letters, 2e5, TRUE), x=runif(2e5)); print(round(tapply(d$x, d$g, mean)[1:5], 6)); f <- lm(x ~ g, d); cat(round(coef(f)[2:4], 6), "\n"); l <- lapply(1:200000, function(i) c(i, i^2)); cat(sum(sapply(l, sum)), "\n"); x <- paste0("k", 1:100000); e <- new.env(); for (k in x) assign(k, nchar(k), e); cat(length(ls(e)), "\n")'
}

run_emacs() {
    emacs -Q --batch --eval '(progn (random "1") (with-temp-buffer (dotimes (i 60000) (insert (format "line %d %s\n" i (make-string (% i 70) ?x)))) (goto-char 1) (while (re-search-forward "line \\([0-9]+\\)5 " nil t) (replace-match "five \\1 ")) (sort-lines nil 1 (point-max)) (princ (format "%s %d\n" (md5 (buffer-string)) (buffer-size)))) (let ((h (make-hash-table :test (quote equal)))) (dotimes (i 200000) (puthash (number-to-string (% (* i 7919) 100003)) (list i) h)) (princ (format "%d\n" (hash-table-count h)))) (garbage-collect))'
}

run_ocaml() {
    printf '%s\n' 'module M = Map.Make(String)
let () = let m = ref M.empty in for i = 1 to 200000 do let k = string_of_int (i * 7919 mod 100003) in m := M.update k (function None -> Some [i] | Some l -> Some (i :: l)) !m done;
  Printf.printf "%d %d\n" (M.cardinal !m) (M.fold (fun k l n -> n + String.length k * List.length l) !m 0);
  let b = Buffer.create 16 in for i = 1 to 300000 do Buffer.add_string b (string_of_int i) done; print_endline (Digest.to_hex (Digest.string (Buffer.contents b)));
  let a = Array.init 200 (fun i -> Bytes.make (i * 5000 + 1) (Char.chr (65 + i mod 26))) in Gc.compact (); Printf.printf "%d\n" (Array.fold_left (fun n x -> n + Bytes.length x) 0 a)' >work.ml
    ocaml work.ml
    ocamlopt -o work work.ml 2>/dev/null && ./work
}

command_of[erlang]=erl
run_erlang() {
    erl -noshell -eval 'P = self(), [spawn(fun() -> L = lists:seq(1, 20000), S = lists:foldl(fun(X, A) -> A + length(integer_to_list(X * N)) end, 0, L), B = binary:copy(<<N>>, N * 1000), P ! {N, S, erlang:md5(B)} end) || N <- lists:seq(1, 200)], R = [receive {N, S, M} -> {S, M} end || N <- lists:seq(1, 200)], io:format("~p~n", [erlang:phash2(R)]), T = ets:new(t, []), [ets:insert(T, {I, integer_to_list(I)}) || I <- lists:seq(1, 200000)], io:format("~p ~p~n", [ets:info(T, size), ets:lookup(T, 4711)]), halt().'
}

command_of[mono]=mcs
run_mono() {
    printf '%s\n' 'using System; using System.Collections.Generic; using System.Threading; class W { static void Main() { var d = new Dictionary<string, List<int>>(); for (int i = 0; i < 300000; i++) { var k = (i * 7919L % 100003).ToString(); List<int> l; if (!d.TryGetValue(k, out l)) d[k] = l = new List<int>(); l.Add(i); } Console.WriteLine(d.Count); var t = new Thread[4]; var s = new long[4]; for (int n = 0; n < 4; n++) { int m = n; t[n] = new Thread(() => { for (int i = 0; i < 200000; i++) s[m] += new string((char)(65 + m), i % 100).Length; }); t[n].Start(); } foreach (var x in t) x.Join(); Console.WriteLine(string.Join(",", s)); } }' >w.cs
    mcs w.cs && mono w.exe
}

run_go() {
    printf '%s\n' 'package main
// #include <stdlib.h>
// #include <string.h>
// static long use(int n) { char *p = malloc(n); memset(p, n, n); long s = p[n - 1]; p = realloc(p, 2 * n); free(p); return s; }
import "C"
import ("fmt"; "sync")
func main() { var w sync.WaitGroup; s := make([]int64, 16)
 for g := 0; g < 16; g++ { w.Add(1); go func(g int) { defer w.Done(); for i := 1; i < 20000; i++ { s[g] += int64(C.use(C.int(1 + i * g % 5000))); if i % 100 == 0 { c := C.CString("text"); s[g] += int64(len(C.GoString(c))); C.free(nil) } } }(g) }
 w.Wait(); fmt.Println(s) }' >w.go
    GO111MODULE=off GOFLAGS=-p=2 GOCACHE=$PWD/cache go build -o w w.go
    ./w
}

run_ghc() {
    printf '%s\n' 'import qualified Data.Map.Strict as M' 'import Data.List (foldl'"'"')' 'main :: IO ()' \
        'main = do { let { m = foldl'"'"' (\a i -> M.insertWith (+) (i * 7919 `mod` 100003) (1 :: Int) a) M.empty [1 .. 300000 :: Int] }; print (M.size m, sum (M.elems m)); print (length (show (product [1 .. 3000 :: Integer]))) }' >w.hs
    ghc -O1 -v0 w.hs -o w && ./w
}

run_rustc() {
    printf '%s\n' 'use std::collections::HashMap; use std::thread; fn main() { let mut m: HashMap<String, Vec<u64>> = HashMap::new(); for i in 0..300000u64 { m.entry((i * 7919 % 100003).to_string()).or_default().push(i); } println!("{}", m.len()); let t: Vec<_> = (0..4).map(|n| thread::spawn(move || { let mut v = Vec::new(); for i in 0..100000u64 { v.push(Box::new([i * n; 4])); if i % 3 == 0 { v.pop(); } } v.len() })).collect(); for x in t { println!("{}", x.join().unwrap()); } }' >w.rs
    RUSTUP_HOME=${RUSTUP_HOME:-$REAL_HOME/.rustup} rustc -O --edition 2021 w.rs -o w 2>/dev/null && ./w
}

run_octave() {
    octave-cli --quiet --no-init-file --eval 'rand("seed", 1); a = reshape(mod((1:250000) * 7919, 10007), 500, 500) / 10007; printf("%.6g %.6g\n", sum(svd(a)), trace(a \ a));
        c = cell(1, 20000); for i = 1:20000, c{i} = sprintf("%d", mod(i * 7919, 1009)); end; [u, ~, j] = unique(c); printf("%d %d\n", numel(u), sum(j));
        s = struct(); for i = 1:5000, s.(sprintf("f%d", i)) = ones(1, mod(i, 50)); end; printf("%d %d\n", numfields(s), sum(cellfun(@numel, struct2cell(s))));
        x = []; for i = 1:20000, x(end + 1) = i; end; printf("%d\n", sum(x)); printf("%d\n", numel(strrep(repmat("abc", 1, 100000), "b", "xyz")))'
}

run_guile() { # its collector, libgc, looks for pointers in the process
    GUILE_AUTO_COMPILE=0 guile -c '(define t (make-hash-table)) (do ((i 0 (+ i 1))) ((= i 300000)) (let ((k (modulo (* i 7919) 100003))) (hashv-set! t k (cons i (hashv-ref t k (list))))))
        (display (hash-count (const #t) t)) (newline) (define (f n) (if (< n 2) 1 (* n (f (- n 1))))) (display (string-length (number->string (f 2000)))) (newline)
        (display (map (lambda (n) (string-length (apply string-append (map number->string (iota (* n 5000)))))) (iota 6))) (gc) (newline)'
}

run_sbcl() { # a heap of its own at a fixed address
    sbcl --noinform --no-sysinit --no-userinit --non-interactive --eval '(let ((h (make-hash-table :test (quote equal)))) (dotimes (i 300000) (push i (gethash (format nil "~d" (mod (* i 7919) 100003)) h))) (print (hash-table-count h))
        (print (length (format nil "~d" (reduce (function *) (loop for i from 1 to 3000 collect i))))) (gc :full t))' --eval '(print (funcall (compile nil (quote (lambda (x) (loop for i below x sum (* i i))))) 1000))'
}

run_pypy3() {
    pypy3 -c 'import collections, threading, zlib
d = collections.defaultdict(list)
for i in range(300000): d[str(i * 7919 % 100003)].append(i)
print(len(d), zlib.crc32(repr(sorted(d.items())[:1000]).encode()))
s = [0] * 4
def f(n):
    for i in range(50000): s[n] += len(str(i) * (i % 20))
t = [threading.Thread(target=f, args=(n,)) for n in range(4)]
[x.start() for x in t]; [x.join() for x in t]; print(s)'
}

command_of[prolog]=swipl
run_prolog() { # linked with tcmalloc
    printf '%s\n' ':- use_module(library(thread)).' 'f(0, 1) :- !.' 'f(N, F) :- M is N - 1, f(M, G), F is N * G.' \
        't :- forall(between(1, 200000, I), (K is I * 7919 mod 100003, assertz(k(K, I)))), aggregate_all(count, k(_, _), C), f(1500, F), number_codes(F, L), length(L, N), writeln(C-N),' \
        '  concurrent_maplist([X, Y]>>(numlist(1, X, Z), sum_list(Z, Y)), [100000, 200000, 300000], S), writeln(S), retractall(k(_, _)), garbage_collect.' >w.pl
    swipl -q -g t -t halt w.pl
}

run_gp() { echo 'print(#digits(2^100000)); print(factor(2^137 - 1)); print(matdet(matrix(80, 80, i, j, (i * 7919 * j) % 1009 - 500))); print(precision(zeta(3), 50))' | gp -q -f -s 64000000; }

command_of[tcl]=tclsh
run_tcl() {
    printf '%s\n' 'for {set i 0} {$i < 200000} {incr i} { lappend a([expr {$i * 7919 % 10007}]) $i; append s $i }; puts [array size a]; puts [string length $s]; set l [lsort -integer [array names a]]; puts [lindex $l 77]; puts [regsub -all {12} $s x t]; puts [string length $t]' | tclsh
}

run_vim() {
    numbers 60000 >text
    vim -u NONE -es -N +'%s/\d\zs5/five/g' +'g/7$/m0' +'sort n' +'%!tac' +'wq' text </dev/null >/dev/null 2>&1 || true
    cksum <text
}

# --- media ------------------------------------------------------------------------------------------------------------

run_ffmpeg() {
    ffmpeg -v error -bitexact -f lavfi -i testsrc=d=4:s=640x360 -f lavfi -i sine=d=4 -threads 4 -c:v mpeg4 -c:a aac -flags bitexact -y a.mkv
    ffmpeg -v error -bitexact -i a.mkv -vf 'scale=320:-1,hue=s=0,reverse' -f framemd5 - | tail -n 20
}

command_of[imagemagick]=convert
run_imagemagick() {
    convert -seed 1 -size 1200x900 plasma:red-blue -resize 1800x -blur 0x3 -rotate 11 -colors 64 rgb:- | cksum
    convert -size 2000x2000 gradient:black-white -wave 10x64 -negate -resize 25% gray:- | cksum
}

run_inkscape() {
    { echo '<svg xmlns="http://www.w3.org/2000/svg" width="500" height="500">'
      for i in $(numbers 800); do echo "<circle cx='$((i * 37 % 500))' cy='$((i * 91 % 500))' r='$((i % 40))' fill='rgb($((i % 255)),$((i * 7 % 255)),9)' opacity='.5'/>"; done
      echo '</svg>'; } >a.svg
    inkscape a.svg --export-type=png -o a.png >/dev/null 2>&1
    convert a.png rgba:- 2>/dev/null | cksum || cksum <a.png
}

command_of[libreoffice]=soffice
run_libreoffice() {
    for i in $(numbers 3000); do echo "$i,$((i * 7919 % 1003)),text $i,=A$i*B$i"; done >a.csv
    soffice --headless --convert-to xlsx a.csv >/dev/null 2>&1
    soffice --headless --convert-to csv --outdir out a.xlsx >/dev/null 2>&1
    cksum <out/a.csv
}

run_gs() { # Ghostscript
    { echo '%!PS'; for i in $(numbers 400); do echo "/Helvetica findfont $((i % 40 + 5)) scalefont setfont $((i * 37 % 500)) $((i * 91 % 700)) moveto (text $i) show newpath $((i % 500)) $((i % 700)) $((i % 90)) 0 360 arc stroke"; done; echo showpage; } >a.ps
    gs -q -dSAFER -dBATCH -dNOPAUSE -sDEVICE=ppmraw -r150 -sOutputFile=- a.ps | cksum
    gs -q -dSAFER -dBATCH -dNOPAUSE -sDEVICE=pdfwrite -sOutputFile=a.pdf a.ps && gs -q -dSAFER -dBATCH -dNOPAUSE -sDEVICE=pgmraw -r50 -sOutputFile=- a.pdf | cksum
}

run_dot() { # Graphviz
    { echo 'digraph g {'; for i in $(numbers 120); do echo "n$i -> n$((i * 7919 % 97)); n$i -> n$((i / 2)) [label=\"l$i\"];"; done; echo '}'; } | dot -Tsvg | cksum
}

run_gnuplot() { gnuplot -e 'set term svg; set samples 20000; set isosamples 60; plot sin(x) * cos(x * x) with lines; splot x * x - y * y with pm3d' | cksum; }

run_sox() { sox -R -n -r 44100 a.wav synth 20 sine 300-3000 reverb echo 0.8 0.9 100 0.3 && sox -R a.wav -r 22050 -t raw - rate -v tempo 1.3 | cksum; }

# --- browsers: allocators of their own (PartitionAlloc, jemalloc), with the library preloaded all the same ------------

page() {
    printf '%s' '<!doctype html><p id="r"></p><script>let m = new Map(); for (let i = 0; i < 200000; i++) { let k = String(i * 7919 % 100003); m.set(k, (m.get(k) || 0) + i); }
        let c = document.createElement("canvas"), g = c.getContext("2d"), s = 0; c.width = 600; c.height = 400;
        for (let i = 0; i < 500; i++) { g.fillStyle = "rgb(" + i % 255 + ",9,9)"; g.fillRect(i, i % 300, 40, 40); }
        for (let v of g.getImageData(0, 0, 600, 400).data) s = (s * 31 + v) >>> 0;
        for (let i = 0; i < 3000; i++) { let e = document.createElement("span"); e.textContent = "x" + i; document.body.appendChild(e); if (i % 3) e.remove(); }
        document.getElementById("r").textContent = m.size + " " + s + " " + document.body.children.length;</script>' >page.html
}

run_chromium() {
    page
    timeout 120 chromium --no-sandbox --headless --disable-gpu --user-data-dir="$PWD/data" --dump-dom "file://$PWD/page.html" 2>/dev/null | tee dom | cksum
    grep -o 'id="r">[^<]*' dom
}

command_of[firefox]=firefox-esr
run_firefox() {
    page
    mkdir profile
    timeout 120 firefox-esr --headless --no-remote --profile "$PWD/profile" --window-size 600,800 --screenshot "$PWD/shot.png" "file://$PWD/page.html" 2>/dev/null
    cksum <shot.png
}

# --- tools ------------------------------------------------------------------------------------------------------------

command_of[qemu]=qemu-x86_64
run_qemu() {
    numbers 50000 >text
    qemu-x86_64 /bin/sort -rn text | cksum
    qemu-x86_64 /usr/bin/awk '{ a[$1 % 1007] += $1 } END { for (i = 0; i < 5; i++) print a[i] }' text
}

run_wine() {
    export WINEPREFIX=$PWD/prefix WINEDEBUG=-all WINEDLLOVERRIDES='mscoree=;mshtml='
    wine wineboot -i >/dev/null 2>&1
    wine cmd /c 'ver & set /a 6*7 & (for /l %i in (1,1,300) do @echo line %i)>a.txt & find /c "5" a.txt & dir /b C:\\windows\\system32\\drivers\\etc' | tr -d '\r'
    wine reg add 'HKCU\Software\x' /v y /d z /f >/dev/null 2>&1 && wine reg query 'HKCU\Software\x' | tr -d '\r'
    wineserver -k && wineserver -w || true
}

run_gdb() {
    printf '%s\n' '#include <stdlib.h>' '#include <stdio.h>' 'struct node { int n; struct node *next; }; int main(void) { struct node *l = 0; for (int i = 0; i < 100; i++) { struct node *x = malloc(sizeof *x); x->n = i; x->next = l; l = x; } printf("%d\n", l->n); return 0; }' >w.c
    gcc -g -O0 w.c -o w
    gdb -nx -q -batch -ex 'set startup-with-shell off' -ex 'break printf' -ex run -ex up -ex 'print l->n' -ex 'print l->next->next->n' -ex 'info types node' -ex 'kill' ./w 2>/dev/null | grep -E '= |struct node'
    gdb -nx -q -batch -ex 'info functions malloc' "$(command -v bash)" 2>/dev/null | cksum
}

run_strace() {
    numbers 30000 >text
    strace -f -o log sh -c 'sort -n text | uniq | wc -l; (sort -r text | head -n 1)'
    grep -q 'exited with 0' log && echo traced
}

run_fakeroot() {
    fakeroot sh -c 'for i in 1 2 3; do echo $i >f$i; chown 0:12 f$i; done; mkdir d; chown 5:6 d; stat -c "%n %u:%g" f1 f2 f3 d; tar cf - f1 f2 f3 d | tar tvf - | cut -c 1-30'
}

run_faketime() {
    faketime '2001-02-03 04:05:06' sh -c 'date -u +%Y-%m-%d; perl -e "print join(q(,), (gmtime)[5,4,3]), qq(\n)"; python3 -c "import datetime; print(datetime.date.today())"'
}

run_eatmydata() {
    eatmydata python3 -c 'import os, sqlite3
f = open("f", "w")
for i in range(2000): f.write(str(i)); f.flush(); os.fsync(f.fileno())
db = sqlite3.connect("d"); db.execute("create table t (i, s)")
for i in range(500): db.execute("insert into t values (?, ?)", (i, "x" * i)); db.commit()
print(os.path.getsize("f"), db.execute("select sum(length(s)) from t").fetchone())'
}

run_heaptrack() {
    numbers 20000 >text
    heaptrack -o trace sort -rn text >sorted 2>/dev/null || true
    cksum <sorted
    find . -name 'trace*' | wc -l
}

run_bc() { echo 'scale=1500; a(1)*4; define f(n) { if (n < 2) return 1; return n * f(n - 1); } f(1200)' | bc -l | cksum; }

run_z3() {
    { for i in $(numbers 40); do echo "(declare-const x$i (_ BitVec 24))"; done
      for i in $(numbers 39); do echo "(assert (= (bvmul x$i #x000005) (bvadd x$((i + 1)) (_ bv$((i * 7919 % 1000)) 24))))"; done
      echo '(assert (= x1 #x000007)) (check-sat) (eval x40)'; echo '(reset) (declare-fun f (Int) Int) (assert (forall ((i Int)) (> (f (+ i 1)) (f i)))) (assert (= (f 0) 0)) (assert (< (f 20) 10)) (check-sat)'; } | z3 -in -T:60
}

run_doxygen() {
    for i in $(numbers 60); do printf '/** \\file\n * The text of %s. */\n/** A struct. */ struct s%s { int a; /**< first */ s%s *next; };\n/** Does it. \\param x a number \\return another */ int f%s(int x);\n' "$i" "$i" "$i" "$i" >"h$i.h"; done
    printf '%s\n' 'PROJECT_NAME=x' 'QUIET=YES' 'WARNINGS=NO' 'GENERATE_LATEX=NO' 'GENERATE_XML=YES' 'HTML_TIMESTAMP=NO' 'HAVE_DOT=NO' 'OUTPUT_DIRECTORY=out' 'NUM_PROC_THREADS=2' >Doxyfile
    doxygen Doxyfile >/dev/null 2>&1
    find out/xml -type f | sort | xargs cat | cksum
}

run_zsh() { zsh -f -c 'typeset -A a; for ((i = 0; i < 60000; i++)) a[$((i * 7919 % 10007))]+="$i "; print ${#a} ${#a[4711]}; l=(${(on)${(k)a}}); print $l[77] ${(j:,:)l[1,5]}; print ${#${(s: :)${(v)a}}}; s=$(for x in {1..3000}; do print -r -- $x; done | sort -rn | head -n 2); print $s'; }

run_pigz() { numbers 2000000 | pigz -p 4 -9 -n | tee a.gz | cksum && pigz -p 4 -dc a.gz | cksum; }

run_jq() { jq -n -c '[range(60000) | {k: (. * 7919 % 10007 | tostring), v: .}] | group_by(.k) | map({k: .[0].k, n: length, s: (map(.v) | add)}) | [length, .[7], .[777]], (tojson | length)'; }
