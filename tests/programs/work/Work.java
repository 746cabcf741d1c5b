// What: strings, maps, deflate and direct buffers (memory from malloc), class loading through lambdas and proxies, and a
// pool of threads beside many short ones; results print in a fixed order.
import java.lang.reflect.Proxy;
import java.nio.ByteBuffer;
import java.security.MessageDigest;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import java.util.zip.CRC32;
import java.util.zip.Deflater;
import java.util.zip.Inflater;

public class Work {
    static String text(int number) {
        StringBuilder out = new StringBuilder();
        for (int i = 0; i < 3000; i++) out.append((long) i * number % 9973).append(i % 10 == 0 ? '\n' : ' ');
        return out.toString();
    }

    static String hash(byte[] data) throws Exception {
        StringBuilder out = new StringBuilder();
        for (byte b : MessageDigest.getInstance("SHA-256").digest(data)) out.append(Integer.toHexString(b & 255));
        return out.toString();
    }

    static byte[] deflated(byte[] data) {
        Deflater deflater = new Deflater(6);
        deflater.setInput(data);
        deflater.finish();
        byte[] out = new byte[data.length + 100];
        int length = deflater.deflate(out);
        deflater.end();
        return java.util.Arrays.copyOf(out, length);
    }

    static byte[] inflated(byte[] packed, int length) throws Exception {
        Inflater inflater = new Inflater();
        inflater.setInput(packed);
        byte[] out = new byte[length];
        if (inflater.inflate(out) != length) throw new IllegalStateException("short");
        inflater.end();
        return out;
    }

    static String squeeze(int number) throws Exception {
        byte[] data = text(number).getBytes("UTF-8");
        byte[] packed = deflated(data);
        if (!java.util.Arrays.equals(inflated(packed, data.length), data)) throw new IllegalStateException("differs");
        return number + " " + packed.length + " " + hash(packed);
    }

    static long direct(int number) {
        List<ByteBuffer> buffers = new ArrayList<>();
        for (int i = 1; i <= 60; i++) buffers.add(ByteBuffer.allocateDirect(i * 977));
        CRC32 crc = new CRC32();
        for (ByteBuffer buffer : buffers) {
            while (buffer.hasRemaining()) buffer.put((byte) (buffer.position() * number));
            buffer.flip();
            crc.update(buffer);
        }
        return crc.getValue();
    }

    static String maps(int number) {
        Map<String, List<Integer>> groups = IntStream.range(0, 40000).boxed()
            .collect(Collectors.groupingBy(i -> "g" + (i * number) % 911, TreeMap::new, Collectors.toList()));
        Map<Integer, String> other = new HashMap<>();
        groups.forEach((name, rows) -> other.merge(rows.size(), name, String::concat));
        return groups.size() + " " + new TreeMap<>(other).toString().hashCode();
    }

    @SuppressWarnings("unchecked")
    static int proxies() throws Exception {
        int sum = 0;
        for (int i = 0; i < 50; i++) {
            int value = i;
            Callable<Integer> call = (Callable<Integer>) Proxy.newProxyInstance(
                new ClassLoader(Work.class.getClassLoader()) { }, new Class<?>[] { Callable.class }, (p, m, a) -> value);
            sum += call.call();
        }
        return sum;
    }

    static long shortThreads(int count) throws Exception {
        long[] sums = new long[count];
        for (int i = 0; i < count; i += 4) {
            Thread[] batch = new Thread[4];
            for (int j = 0; j < 4; j++) {
                int slot = Math.min(i + j, count - 1);
                batch[j] = new Thread(() -> sums[slot] = text(slot).hashCode());
                batch[j].start();
            }
            for (Thread thread : batch) thread.join();
        }
        return java.util.Arrays.stream(sums).sum();
    }

    public static void main(String[] args) throws Exception {
        int size = Integer.parseInt(args[0]);
        ExecutorService pool = Executors.newFixedThreadPool(4);
        List<Future<String>> answers = new ArrayList<>();
        for (int i = 1; i <= 40 * size; i++) {
            int number = i;
            answers.add(pool.submit(() -> squeeze(number) + " " + direct(number)));
        }
        for (int i = 1; i <= 3 * size; i++) System.out.println("maps " + maps(i));
        for (Future<String> answer : answers) System.out.println(answer.get());
        pool.shutdown();
        System.out.println("proxies " + proxies());
        System.out.println("short threads " + shortThreads(80 * size));
        System.gc();
    }
}
