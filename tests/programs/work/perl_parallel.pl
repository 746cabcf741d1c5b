# What: interpreter threads, each a clone of everything that was allocated before it, and forked children that report
#   by pipe.
use strict;
use warnings;
use Config;

sub crunch {
    my ($number) = @_;
    my %h = map { ("key$_" => join '', reverse split //, $_ * $number) } 1 .. 3000;
    delete @h{ map { "key$_" } grep { $_ % 3 == 0 } 1 .. 3000 };
    return unpack '%32C*', join ',', map { "$_=$h{$_}" } sort keys %h;
}

my @inherited = map { "row $_ " x ($_ % 40) } 1 .. 5000;

sub by_threads {
    require threads;
    for my $round (1 .. 3 * $ARGV[0]) {
        my @threads = map { my $n = $_; threads->create(sub { @inherited = (); crunch($n * $round) }) } 1 .. 4;
        print "threads $round ", join(' ', map { $_->join } @threads), "\n";
    }
}

sub by_forks {
    for my $n (1 .. 60 * $ARGV[0]) {
        my $pid = open(my $child, '-|') // die "fork: $!";
        if (!$pid) { @inherited = (); print crunch($n); exit 0 }
        print "fork $n ", <$child>, "\n";
        close $child or die "child $n: $?";
    }
}

$| = 1;
by_threads() if $Config{useithreads};
by_forks();
print scalar(@inherited), "\n";
