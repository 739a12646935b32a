//! Reads the archive as a stream of deliveries.

use std::{collections::VecDeque, ops::Range};

use aws_sdk_s3::{Client, error::ProvideErrorMetadata};
use bytes::Bytes;
use letterbox_codec::Timestamp;
use letterbox_intake::aws;
use tokio::{
    sync::mpsc::{self, Receiver, Sender},
    task::{AbortHandle, spawn_blocking},
};

use super::{
    ArchivedDelivery, Filter, Order,
    hours::{self, BUFFERED, LEVELS, Object, SKEW},
    lines,
    merge::Merge,
};
use crate::stack::AwsError;

const LIST: &str = "s3:ListBucket";
const GET: &str = "s3:GetObject";

/// So many objects are fetched before the one that is being read is finished.
const AHEAD: usize = 4;

/// The largest object that is read, in bytes: Firehose buffers at most 128 MiB before it compresses.
const LARGEST_OBJECT: i64 = 128 * 1024 * 1024;

/// So often an object is fetched whose content breaks off.
const ATTEMPTS: usize = 3;

/// Deliveries are passed on in groups of at most this size, in bytes, and number.
const GROUP_SIZE: usize = 512 * 1024;
const GROUP: usize = 256;

/// A stream of deliveries. Dropping it ends the reading.
pub struct Reader {
    filter: Filter,
    order: Order,
    objects: Receiver<Result<Fetch, AwsError>>,
    current: Option<Fetch>,
    merge: Merge,
    /// The latest or earliest time that is still to come; `None` if nothing is.
    bound: Option<Timestamp>,
    progress: Progress,
    task: AbortHandle,
}

/// What has been read so far.
#[derive(Clone, Copy, Debug, Default)]
pub struct Progress {
    /// Objects.
    pub objects: u64,
    /// Their size as they are stored, in bytes.
    pub bytes: u64,
    /// Records, whether or not the filter passes them.
    pub records: u64,
    /// Lines and objects that could not be read: they are damaged, or too large.
    pub unreadable: u64,
    /// The time that the reading has reached.
    pub at: Option<Timestamp>,
    /// The latest time at which S3 has stored one of the objects, by its own clock: for [`Filter::stored_by`].
    pub stored_by: Option<Timestamp>,
}

/// One object that is being fetched.
struct Fetch {
    object: Object,
    stored: Timestamp,
    groups: Receiver<Group>,
}

/// A part of the content of an object.
#[derive(Default)]
struct Group {
    deliveries: Vec<ArchivedDelivery>,
    size: usize,
    records: u64,
    unreadable: u64,
    bytes: u64,
    error: Option<AwsError>,
}

impl Reader {
    pub(super) fn start(client: Client, bucket: String, order: Order, mut filter: Filter) -> Self {
        // What comes after a delivery needs nothing of before.
        if let Some(after) = &filter.after {
            match order {
                Order::NewestFirst => {
                    let until = Timestamp(after.time.0.saturating_add(1));
                    filter.until = Some(filter.until.map_or(until, |given| given.min(until)));
                }
                Order::OldestFirst => {
                    filter.since = Some(filter.since.map_or(after.time, |given| given.max(after.time)));
                }
            }
        }
        // The channel's own place, and the one that waits for it, are ahead as well.
        let (sender, objects) = mpsc::channel(AHEAD - 1);
        let lister = Lister {
            client,
            bucket,
            order,
            filter: filter.clone(),
            folders: vec![hours::ROOT.to_owned()],
            objects: VecDeque::new(),
        };
        let task = tokio::spawn(async move {
            if let Err(error) = lister.run(&sender).await {
                // The reader may be gone.
                let _ = sender.send(Err(error)).await;
            }
        })
        .abort_handle();
        Self {
            filter,
            order,
            objects,
            current: None,
            merge: Merge::new(order),
            bound: Some(Timestamp(if order == Order::NewestFirst { i64::MAX } else { i64::MIN })),
            progress: Progress::default(),
            task,
        }
    }

    /// What has been read so far.
    pub fn progress(&self) -> &Progress {
        &self.progress
    }

    /// Every delivery beyond this time, in the order of the reading, has been returned. `None` before the first object and
    /// after the last one.
    pub fn reached(&self) -> Option<Timestamp> {
        self.bound.filter(|bound| ![i64::MIN, i64::MAX].contains(&bound.0))
    }

    /// The next delivery; `None` at the end. It may be cancelled: nothing is lost.
    pub async fn next(&mut self) -> Result<Option<ArchivedDelivery>, AwsError> {
        loop {
            while let Some(delivery) = self.merge.pop(self.bound) {
                self.progress.at = Some(delivery.record.time);
                if self.filter.passes_outcome(&delivery) {
                    return Ok(Some(delivery));
                }
            }
            if self.bound.is_none() {
                return Ok(None);
            }
            if let Some(fetch) = &mut self.current {
                match fetch.groups.recv().await {
                    Some(group) => self.take(group)?,
                    None => self.finish_object(),
                }
            } else {
                match self.objects.recv().await {
                    Some(fetch) => {
                        let fetch = fetch?;
                        self.begin_object(&fetch);
                        self.current = Some(fetch);
                    }
                    None => self.bound = None,
                }
            }
        }
    }

    /// Objects come in the order of their bound, so that the next one says what is still to come.
    fn begin_object(&mut self, fetch: &Fetch) {
        let Range { start, end } = fetch.object.arrived;
        let bound = match self.order {
            // A record has arrived after its delivery.
            Order::NewestFirst => end.saturating_add(SKEW),
            // And, but for a few, within this time.
            Order::OldestFirst => start.saturating_sub(SKEW.saturating_mul(6)),
        };
        self.bound = Some(Timestamp(bound));
        self.progress.at = Some(Timestamp(start));
        self.progress.stored_by = self.progress.stored_by.max(Some(fetch.stored));
    }

    fn finish_object(&mut self) {
        self.current = None;
        self.progress.objects = self.progress.objects.saturating_add(1);
    }

    fn take(&mut self, group: Group) -> Result<(), AwsError> {
        let add = |to: &mut u64, more: u64| *to = to.saturating_add(more);
        add(&mut self.progress.records, group.records);
        add(&mut self.progress.unreadable, group.unreadable);
        add(&mut self.progress.bytes, group.bytes);
        for delivery in group.deliveries {
            let position = delivery.position();
            let is_after = self.filter.after.as_ref().is_none_or(|after| match self.order {
                Order::NewestFirst => position < *after,
                Order::OldestFirst => position > *after,
            });
            if is_after {
                self.merge.push(delivery);
            }
        }
        group.error.map_or(Ok(()), Err)
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Finds the objects of the archive in their order, and starts to fetch them.
struct Lister {
    client: Client,
    bucket: String,
    order: Order,
    filter: Filter,
    /// Folders that are not listed yet; the next one is the last.
    folders: Vec<String>,
    /// Objects that are listed, the next one first.
    objects: VecDeque<(Object, Timestamp)>,
}

impl Lister {
    async fn run(mut self, sender: &Sender<Result<Fetch, AwsError>>) -> Result<(), AwsError> {
        loop {
            while let Some(folder) = self.next_folder() {
                self.list(&folder).await?;
            }
            let Some((object, stored)) = self.objects.pop_front() else { return Ok(()) };
            let Ok(place) = sender.reserve().await else { return Ok(()) };
            let (groups, receiver) = mpsc::channel(2);
            tokio::spawn(fetch(
                self.client.clone(),
                self.bucket.clone(),
                object.key.clone(),
                self.filter.clone(),
                groups,
            ));
            place.send(Ok(Fetch { object, stored, groups: receiver }));
        }
    }

    /// The folder that must be listed before the next object is known; `None` if none must.
    fn next_folder(&mut self) -> Option<String> {
        let folder = self.folders.last()?;
        let is_needed = match (self.objects.front(), self.order) {
            (None, _) => true,
            // Objects of an hour may have records of the next one.
            (Some((object, _)), Order::NewestFirst) => hours::times(folder)
                .is_none_or(|times| object.arrived.end <= times.end.saturating_add(BUFFERED)),
            (Some(_), Order::OldestFirst) => false,
        };
        if is_needed { self.folders.pop() } else { None }
    }

    /// Lists a folder: the folders in it, or the objects of an hour.
    async fn list(&mut self, folder: &str) -> Result<(), AwsError> {
        let is_hour = hours::depth(folder) >= LEVELS;
        let request = self.client.list_objects_v2().bucket(&self.bucket).prefix(folder);
        let request = if is_hour { request } else { request.delimiter("/") };
        let mut pages = request.into_paginator().send();
        let mut folders = Vec::new();
        while let Some(page) = pages.next().await {
            let page = page.map_err(|error| AwsError::of(LIST, &self.bucket, &error))?;
            let names = page.common_prefixes().iter().filter_map(|folder| folder.prefix());
            folders.extend(names.filter(|name| hours::may_have(name, &self.filter)).map(str::to_owned));
            let Some(hour) = hours::times(folder).filter(|_| is_hour) else { continue };
            for found in page.contents() {
                let stored = found.last_modified().and_then(|time| time.to_millis().ok()).unwrap_or_default();
                let object = Object::new(found.key().unwrap_or_default().to_owned(), &hour, stored);
                let stored = Timestamp(stored);
                let is_new = self.filter.stored_by.is_some_and(|stored_by| stored > stored_by);
                if !is_new && object.may_have(&self.filter) {
                    self.objects.push_back((object, stored));
                }
            }
        }
        hours::sort(&mut folders, self.order);
        self.folders.append(&mut folders);
        let objects = self.objects.make_contiguous();
        match self.order {
            Order::NewestFirst => objects.sort_by_key(|(object, _)| std::cmp::Reverse(object.arrived.end)),
            Order::OldestFirst => objects.sort_by_key(|(object, _)| object.arrived.start),
        }
        Ok(())
    }
}

/// Fetches an object, and passes on what the filter passes. It ends when the reader is dropped.
async fn fetch(client: Client, bucket: String, key: String, filter: Filter, groups: Sender<Group>) {
    let content = match content(&client, &bucket, &key).await {
        Ok(Some(content)) => content,
        Ok(None) => return,
        Err(error) => {
            let error = error.map_or_else(
                || Group { unreadable: 1, ..Group::default() },
                |error| Group { error: Some(error), ..Group::default() },
            );
            let _ = groups.send(error).await;
            return;
        }
    };
    // Unpacking keeps a core busy.
    let _ = spawn_blocking(move || unpack(&content, &filter, &groups)).await;
}

/// The content of an object; `None` if it has expired meanwhile. An error without a reason is one of this object.
///
/// The SDK tries again until it has the head of a response; what breaks off after that is fetched again here.
async fn content(client: &Client, bucket: &str, key: &str) -> Result<Option<Bytes>, Option<AwsError>> {
    let mut broken = String::new();
    for _ in 0..ATTEMPTS {
        let object = match client.get_object().bucket(bucket).key(key).send().await {
            Ok(object) => object,
            Err(error) if error.code() == Some("NoSuchKey") => return Ok(None),
            Err(error) => return Err(Some(AwsError::of(GET, &format!("{bucket}/{key}"), &error))),
        };
        if object.content_length().is_none_or(|length| length > LARGEST_OBJECT) {
            return Err(None);
        }
        match object.body.collect().await {
            Ok(content) => return Ok(Some(content.into_bytes())),
            Err(error) => broken = aws::chain(&error),
        }
    }
    Err(Some(AwsError::Unreachable { action: GET, reason: broken }))
}

fn unpack(content: &Bytes, filter: &Filter, groups: &Sender<Group>) {
    let mut group = Group { bytes: u64::try_from(content.len()).unwrap_or(u64::MAX), ..Group::default() };
    let read = lines::each(content, |line| {
        group.records = group.records.saturating_add(1);
        let Some(line) = line else {
            group.unreadable = group.unreadable.saturating_add(1);
            return true;
        };
        if !filter.may_pass(line) {
            return true;
        }
        match ArchivedDelivery::parse(line) {
            Some(delivery) if filter.passes(&delivery) => {
                group.size = group.size.saturating_add(delivery.size());
                group.deliveries.push(delivery);
            }
            Some(_) => {}
            None => group.unreadable = group.unreadable.saturating_add(1),
        }
        let is_full = group.size >= GROUP_SIZE || group.deliveries.len() >= GROUP;
        !is_full || groups.blocking_send(std::mem::take(&mut group)).is_ok()
    });
    if read.is_err() {
        group.unreadable = group.unreadable.saturating_add(1);
    }
    let _ = groups.blocking_send(group);
}

#[cfg(test)]
mod tests {
    use aws_sdk_s3::config::{Credentials, Region};
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::TcpListener,
    };

    use super::*;

    /// The content of an object whose first responses break off.
    async fn content_after(broken: usize) -> Result<Option<Bytes>, Option<AwsError>> {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            for number in 0.. {
                let (mut socket, _) = listener.accept().await.unwrap();
                let _ = socket.read(&mut [0; 4096]).await.unwrap();
                let body = if number < broken { "hello" } else { "hello world" };
                let head = "HTTP/1.1 200 OK\r\ncontent-length: 11\r\nconnection: close\r\n\r\n";
                socket.write_all(format!("{head}{body}").as_bytes()).await.unwrap();
            }
        });
        let loader = aws::loader().region(Region::new("eu-west-1")).endpoint_url(format!("http://{address}"));
        let keys = Credentials::new("key", "secret", None, None, "test");
        let config = loader.credentials_provider(keys).load().await;
        let config = aws_sdk_s3::config::Builder::from(&config).force_path_style(true).build();
        content(&Client::from_conf(config), "archive", "deliveries/a.gz").await
    }

    #[tokio::test]
    async fn an_object_that_breaks_off_is_fetched_again_and_at_last_an_error() {
        assert_eq!(content_after(0).await, Ok(Some("hello world".into())));
        assert_eq!(content_after(ATTEMPTS - 1).await, Ok(Some("hello world".into())));
        let error = content_after(ATTEMPTS).await.unwrap_err();
        assert!(matches!(error, Some(AwsError::Unreachable { action: GET, .. })), "{error:?}");
    }
}
