# What: words into arrays and out again, sorted by a child process; long strings grown and cut.
function rnd(bound) { state = (state * 16807) % 2147483647; return state % bound }

BEGIN {
    state = 4242
    for (n = 0; n < lines; n++) {
        line = ""
        for (k = 0; k < 6; k++) line = line sprintf("%c%c%d%s", 97 + rnd(26), 97 + rnd(26), rnd(90), k < 5 ? " " : "")
        count = split(line, field, " ")
        for (k = 1; k <= count; k++) { seen[field[k]]++; where[field[k], n % 50] = where[field[k], n % 50] k }
        if (gsub(/[aeiou]+[0-9]/, "<&>", line)) changed++
        long = long substr(line, 1, rnd(30))
        if (n % 2000 == 1999) { total += length(long); long = toupper(substr(long, 5000, 2000)) }
        if (n % 5 == 0) delete seen[field[1]]
    }
    for (word in seen) print word, seen[word] | "sort | tail -n 200"
    close("sort | tail -n 200")
    for (key in where) size += length(where[key])
    print changed, total, size, substr(long, 1, 70)
}
