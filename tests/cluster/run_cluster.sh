#!/usr/bin/env bash
# A real SLURM on loopback: controller, three node daemons, two stand-in GPUs.
#
#   run_cluster.sh FOLDER accounting|plain
#
# Runs as the first process of its own mount, network and process namespaces (see
# slurm_cluster.py): ports, /etc/slurm and the munge socket are its own, whatever else runs on
# the machine, and everything ends with it. FOLDER/ready appears once all nodes are idle.
# Nodes: c1 and c2 (4 CPUs, 8 GB on paper each) in partition cpu, g1 (the same and gpu:2) in gpu.
set -euo pipefail
FOLDER=$1
ACCOUNTING=$2
HOST=$(hostname -s)
LOG=$FOLDER/log
mkdir -p "$FOLDER"/{log,run,state,dev,mysql} "$FOLDER"/spool/{c1,c2,g1}
chmod 755 "$FOLDER" "$FOLDER/run"

wait_until() {
  for _ in $(seq 300); do
    if "$@" > /dev/null 2>&1; then return 0; fi
    sleep 0.1
  done
  echo "gave up waiting: $*" >&2
  return 1
}

ip link set lo up
# With loopback addresses alone, getaddrinfo finds no address to listen on.
ip address add 10.255.255.1/32 dev lo
# The step plugin strips SLURM_CONF from the environment: the configuration must lie at its
# default place. A memory disk over the folder leaves the machine's own one untouched.
mkdir -p /etc/slurm /run/munge
mount -t tmpfs tmpfs /etc/slurm
mount -t tmpfs -o mode=755 tmpfs /run/munge

# ---- munge
head -c 1024 /dev/urandom > "$FOLDER/munge.key"
chmod 400 "$FOLDER/munge.key"
munged --force --key-file="$FOLDER/munge.key" --pid-file="$FOLDER/run/munged.pid" \
  --log-file="$LOG/munged.log" --seed-file="$FOLDER/run/munged.seed" --num-threads=2
wait_until sh -c "munge -n < /dev/null | unmunge"

# ---- accounting
ACCOUNTING_LINES="AccountingStorageType=accounting_storage/none"
if [ "$ACCOUNTING" = accounting ]; then
  # slurmdbd knows no option for a socket; its MySQL client reads this variable.
  export MYSQL_UNIX_PORT=$FOLDER/run/mysqld.sock
  mysql_install_db --no-defaults --user=root --datadir="$FOLDER/mysql" \
    --auth-root-authentication-method=normal --skip-test-db > "$LOG/mysql_install.log" 2>&1
  mariadbd --no-defaults --user=root --datadir="$FOLDER/mysql" --socket="$MYSQL_UNIX_PORT" \
    --skip-networking --pid-file="$FOLDER/run/mysqld.pid" --innodb-buffer-pool-size=64M \
    --innodb-lock-wait-timeout=900 --innodb-flush-log-at-trx-commit=0 \
    --log-error="$LOG/mysqld.log" > /dev/null 2>&1 &
  wait_until mysqladmin --no-defaults --socket="$MYSQL_UNIX_PORT" -uroot ping
  mysql --no-defaults --socket="$MYSQL_UNIX_PORT" -uroot -e "create database slurm_acct_db;
    create user slurm@localhost identified by 'slurm';
    grant all on slurm_acct_db.* to slurm@localhost;"
  cat > /etc/slurm/slurmdbd.conf << CONF
AuthType=auth/munge
DbdHost=localhost
DbdAddr=127.0.0.1
SlurmUser=root
LogFile=$LOG/slurmdbd.log
PidFile=$FOLDER/run/slurmdbd.pid
StorageType=accounting_storage/mysql
StorageHost=localhost
StorageUser=slurm
StoragePass=slurm
StorageLoc=slurm_acct_db
CONF
  chmod 600 /etc/slurm/slurmdbd.conf
  ACCOUNTING_LINES="AccountingStorageType=accounting_storage/slurmdbd
AccountingStorageHost=localhost
AccountingStorageTRES=gres/gpu
AccountingStoreFlags=job_comment"
fi

# ---- configuration
# SLURM takes only devices for GPUs: clones of /dev/null stand in for them.
for i in 0 1; do
  [ -c "$FOLDER/dev/gpu$i" ] || mknod "$FOLDER/dev/gpu$i" c 1 3
done
NODE="NodeHostname=$HOST NodeAddr=127.0.0.1 CPUs=4 Boards=1 SocketsPerBoard=1 CoresPerSocket=4"
NODE="$NODE ThreadsPerCore=1 RealMemory=8000 State=UNKNOWN"
cat > /etc/slurm/slurm.conf << CONF
ClusterName=loopback
SlurmctldHost=$HOST(127.0.0.1)
CommunicationParameters=NoCtldInAddrAny,NoInAddrAny
AuthType=auth/munge
CredType=cred/munge
SlurmUser=root
SlurmdUser=root
StateSaveLocation=$FOLDER/state
SlurmdSpoolDir=$FOLDER/spool/%n
SlurmctldPidFile=$FOLDER/run/slurmctld.pid
SlurmdPidFile=$FOLDER/run/slurmd.%n.pid
SlurmctldLogFile=$LOG/slurmctld.log
SlurmdLogFile=$LOG/slurmd.%n.log
# Without control groups, which containers lack:
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
# Nodes may claim more than the machine has.
SlurmdParameters=config_overrides
SchedulerType=sched/backfill
SchedulerParameters=sched_interval=2,bf_interval=2,batch_sched_delay=0,sched_min_interval=50000
MpiDefault=none
SwitchType=switch/none
ReturnToService=2
# How long ended jobs are known, in s: SLURM's 300 are too few for tests on a slow machine.
MinJobAge=86400
KillWait=5
# A requeued job waits until the credential of its first start has expired, in s.
AuthInfo=cred_expire=5
# A lost node is noticed within this time, in s.
SlurmdTimeout=10
SlurmctldTimeout=30
JobAcctGatherType=jobacct_gather/linux
JobAcctGatherFrequency=task=1
JobCompType=jobcomp/filetxt
JobCompLoc=$LOG/jobcomp.txt
MaxArraySize=10001
GresTypes=gpu
$ACCOUNTING_LINES
NodeName=c1 Port=6821 $NODE
NodeName=c2 Port=6822 $NODE
NodeName=g1 Port=6823 Gres=gpu:standin:2 $NODE
PartitionName=cpu Nodes=c1,c2 Default=YES MaxTime=24:00:00 DefaultTime=10 DefMemPerCPU=200 State=UP
PartitionName=gpu Nodes=g1 MaxTime=24:00:00 DefaultTime=10 DefMemPerCPU=200 State=UP
CONF
cat > /etc/slurm/gres.conf << CONF
AutoDetect=off
NodeName=g1 Name=gpu Type=standin File=$FOLDER/dev/gpu[0-1]
CONF

# ---- daemons
if [ "$ACCOUNTING" = accounting ]; then
  slurmdbd
  wait_until sacctmgr -n list cluster
  sacctmgr -i add cluster loopback > /dev/null 2>&1 || true
  sacctmgr -i add account lab Description=lab Organization=lab > /dev/null
  sacctmgr -i add user root Account=lab DefaultAccount=lab > /dev/null
fi
slurmctld
for node in c1 c2 g1; do slurmd -N "$node"; done
all_idle() { [ "$(sinfo -h -N -t idle -o %N | sort -u | wc -l)" = 3 ]; }
wait_until all_idle
sinfo -N -o '%N %P %t %c %m %G' > "$FOLDER/ready"
# Ends when whoever started it ends it; `wait` collects what the daemons leave behind.
sleep infinity &
wait $!
