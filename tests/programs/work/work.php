<?php
// Strings, arrays, objects, regular expressions, json, iterators, and extensions that were loaded with RTLD_DEEPBIND.
//   php work.php ROUNDS
declare(strict_types=1);

final class Node {
    public ?Node $next = null;
    public function __construct(public int $key, public string $text) {}
}

function words(int $seed, int $count): array {
    $words = [];
    for ($i = 0; $i < $count; $i++) {
        $seed = ($seed * 1103515245 + 12345) & 0x7fffffff;
        $words[] = str_repeat(chr(97 + $seed % 26), 1 + $seed % 40) . $seed;
    }
    return $words;
}

function chain(array $words): string {
    $head = null;
    foreach ($words as $i => $word) {
        $node = new Node($i, strrev($word));
        $node->next = $head;
        $head = $node;
    }
    $sum = 0;
    for ($node = $head; $node !== null; $node = $node->next) $sum += $node->key + strlen($node->text);
    return (string)$sum;
}

foreach (['pdo', 'tokenizer', 'ctype', 'iconv', 'posix', 'fileinfo', 'Phar'] as $name) {
    if (!extension_loaded($name)) fwrite(STDERR, "no extension $name\n");
}
for ($round = 1; $round <= (int)$argv[1]; $round++) {
    $words = words($round, 4000);
    sort($words);
    $json = json_encode(['words' => $words, 'nested' => array_fill(0, 100, ['a' => 1.5, 'b' => null, 'c' => [true]])]);
    $back = json_decode($json, true);
    $counts = [];
    foreach ($back['words'] as $word) $counts[substr($word, 0, 3)] = ($counts[substr($word, 0, 3)] ?? 0) + 1;
    ksort($counts);
    $found = preg_match_all('/([a-z])\1{5,}(\d+)/', implode(' ', $words), $matches);
    $tokens = count(token_get_all(file_get_contents(__FILE__)));
    $wide = iconv('UTF-8', 'UTF-16LE', implode('', array_slice($words, 0, 500)));
    $type = (new finfo(FILEINFO_MIME_TYPE))->buffer($json);
    $big = array_map(fn($i) => str_repeat('x', $i * 1000), range(1, 60));
    echo $round, ' ', md5($json), ' ', count($counts), ' ', $found, ' ', $tokens > 100 ? 'tokens' : '', ' ', md5($wide), ' ', $type, ' ',
        chain($words), ' ', strlen(implode('', $big)), "\n";
}
