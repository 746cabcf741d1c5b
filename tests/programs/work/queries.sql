-- What: reads and changes what tables.sql made; every query orders its rows.
select count(*), sum(length(body)), min(name), max(name), round(sum(score), 3) from page;
select o.name, count(*), round(avg(p.score), 3), group_concat(substr(p.name, -3), '')
from page p join owner o on o.id = p.owner group by o.id order by 2 desc, 1 limit 50;
select id, round(total, 2) from (
    select id, sum(score) over (partition by owner order by score rows between 5 preceding and 5 following) as total from page
) where id % 977 = 0 order by id;
select rowid, snippet(words, 0, '[', ']', '..', 6) from words where words match 'dolor AND tempor OR eiusmod*' order by rowid limit 40;
select json_extract(data, '$.tags[2]') as tag, count(*), sum(json_array_length(data, '$.tags')) from owner group by tag order by tag;
with recursive t(n, s) as (select 1, 'x' union all select n + 1, s || hex(n) from t where n < 400)
select count(*), max(length(s)), sum(length(s)) from t;
begin;
update page set body = upper(body) || ' again', score = -score where id % 3 = 0;
delete from page where id % 7 = 0;
insert into page select id + 10000000, owner, name || '-copy', reverse.r, score from page,
    (select 'copy ' || replace(hex(zeroblob(20)), '0', 'c') as r) as reverse where id % 11 = 0;
commit;
insert into words(words) values('rebuild');
savepoint s;
delete from owner;
rollback to s;
release s;
create table digest as select id, name, body || printf('%.4f', score) as text from page order by text collate nocase, id;
select count(*), sum(length(text)), min(text), max(text) from digest;
select name, text from digest where rowid % 1999 = 0 order by rowid;
drop table digest;
pragma integrity_check;
